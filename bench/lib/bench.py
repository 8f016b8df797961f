"""What every measurement needs to know: programs, places, rules, systems; and
which systems can run on this machine."""
import os
import shlex
import shutil
import subprocess
import tempfile

import addresses
import postgres
import rules

# Programs that systems need besides httpd; without them the system is left
# out, which a complete run counts as a failure.
OPTIONAL = ("nginx", "haproxy", "httxt2dbm", "sqlite3")

# Nothing can be measured without these.
REQUIRED = ("valgrind", "wrk")


class BenchError(Exception):
    pass


def find_program(name):
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def apxs_query(apxs, name):
    done = subprocess.run([apxs, "-q", name], stdout=subprocess.PIPE,
                          check=True)
    return done.stdout.decode().strip()


class Bench:
    def __init__(self, args, plan):
        self.directory = args.directory
        self.quick = args.quick
        self.httpd = args.httpd
        self.apxs = args.apxs
        self.libexecdir = apxs_query(args.apxs, "LIBEXECDIR")
        self.systems = plan.systems
        self.scratch = tempfile.mkdtemp(prefix="r307-bench.")
        os.chmod(self.scratch, 0o755)
        self.rules = rules.Cache(self.scratch)
        self.module = self._copy_module(args.module)
        self.const307 = self._build_constant()

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def conf(self, name):
        return os.path.join(self.directory, "conf", name)

    def header_fields(self, name):
        """The lines of conf/NAME.headers; none without a name."""
        if not name:
            return []
        with open(self.conf(f"{name}.headers"), encoding="ascii") as file:
            return file.read().splitlines()

    def _copy_module(self, module):
        """The build directory may be closed to the servers' user."""
        return shutil.copy(module, os.path.join(self.scratch,
                                                "mod_redirect307.so"))

    def _build_constant(self):
        """Compile the yardstick, with a Location as long as the others'."""
        shutil.copy(os.path.join(self.directory, "mod_const307.c"),
                    self.scratch)
        location = rules.target(0) + rules.REMAINDER
        flags = shlex.quote(f'-DCONST307_LOCATION="{location}"')
        done = subprocess.run(
            [self.apxs, "-c", f"-Wc,{flags}", "mod_const307.c"],
            cwd=self.scratch, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise BenchError("mod_const307.c does not compile: "
                             + done.stdout.decode()[-600:])
        return os.path.join(self.scratch, ".libs", "mod_const307.so")

    def why_not(self, system):
        """Why a system cannot be measured here, or None."""
        for program in (system.program, system.needs):
            if program in OPTIONAL and not find_program(program):
                return f"{program} is not installed"
        if system.needs.startswith("Redirect307"):
            return self._directive_missing(system.needs)
        if system.needs == "addresses":
            return addresses.why_not(self)
        if system.needs == "postgresql":
            return postgres.why_not()
        return None

    def configtest(self, name, text):
        """What httpd says of a configuration with the module and this."""
        conf = os.path.join(self.scratch, f"{name}.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write("LoadModule mpm_event_module"
                       f' "{self.libexecdir}/mod_mpm_event.so"\n'
                       f'LoadModule redirect307_module "{self.module}"\n'
                       + text)
        done = subprocess.run([self.httpd, "-t", "-d", self.scratch,
                               "-f", conf], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.stdout

    def _directive_missing(self, name):
        said = self.configtest(name, f"<IfDirective {name}>\nError found\n"
                               "</IfDirective>\n")
        if b"\nfound" in said:
            return None
        return f"this module has no {name}"
