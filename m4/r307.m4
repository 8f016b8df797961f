# r307.m4: what configure.ac needs to know about httpd, APR, PCRE2, warnings
# and sanitizers.  Everything found here reaches the build as a variable; no
# config.h is made, because httpd's own defines the same PACKAGE_* names.

# R307_SYSTEM_INCLUDES(VARIABLE)
# Turns -I/dir into -isystem /dir, so that warnings are about our code only.
# /usr/include is left out: as -isystem it breaks #include_next.
AC_DEFUN([R307_SYSTEM_INCLUDES], [
  r307_flags=
  for r307_flag in $$1; do
    case $r307_flag in
      -I/usr/include | -I/usr/include/ | -I.) ;;
      -I/*) r307_flags="$r307_flags -isystem ${r307_flag#-I}" ;;
      *)    r307_flags="$r307_flags $r307_flag" ;;
    esac
  done
  $1=${r307_flags# }
])

# R307_ARG_OPTIONS: the options that are not about finding something.
AC_DEFUN([R307_ARG_OPTIONS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [treat compiler warnings as errors])],
    [], [enable_werror=no])
  AC_ARG_ENABLE([sanitizers],
    [AS_HELP_STRING([--enable-sanitizers],
      [build with AddressSanitizer and UndefinedBehaviorSanitizer])],
    [], [enable_sanitizers=no])
  AC_ARG_ENABLE([activation],
    [AS_HELP_STRING([--enable-activation],
      [let "make install" also add the LoadModule line (apxs -a)])],
    [], [enable_activation=no])
  AC_ARG_WITH([moduledir],
    [AS_HELP_STRING([--with-moduledir=DIR],
      [where "make install" puts the module (default: what apxs says)])],
    [AS_CASE([$withval],
      [/*], [moduledir=$withval],
      [AC_MSG_ERROR([--with-moduledir needs an absolute directory, not "$withval"])])],
    [moduledir=])
  AC_ARG_WITH([live-mpms],
    [AS_HELP_STRING([--with-live-mpms=LIST],
      [MPMs that "make check" starts httpd with (default: event worker prefork)])],
    [], [with_live_mpms="event worker prefork"])
  for r307_mpm in $with_live_mpms; do
    AS_CASE([$r307_mpm], [event|worker|prefork], [],
      [AC_MSG_ERROR([--with-live-mpms takes event, worker and prefork, not "$r307_mpm"])])
  done
  AC_SUBST([LIVE_MPMS], [$with_live_mpms])
  AC_SUBST([ACTIVATE], [$enable_activation])
])

# R307_PATH_APXS: sets APXS, HTTPD, HTTPD_INCLUDEDIR, moduledir, and the
# names of apr-1-config and apu-1-config as apxs knows them.
AC_DEFUN([R307_PATH_APXS], [
  AC_ARG_WITH([apxs],
    [AS_HELP_STRING([--with-apxs@<:@=PATH@:>@],
      [the apxs of the httpd to build for (default: apxs or apxs2 in PATH)])],
    [], [with_apxs=yes])
  r307_path=$PATH:/usr/local/apache2/bin:/usr/local/bin:/usr/sbin
  AS_CASE([$with_apxs],
    [no], [AC_MSG_ERROR([apxs is needed: it says where httpd is])],
    [yes], [AC_PATH_PROGS([APXS], [apxs apxs2], [], [$r307_path])],
    [*/*], [APXS=$with_apxs],
    [AC_PATH_PROG([APXS], [$with_apxs], [], [$r307_path])])
  AS_IF([test -z "$APXS"],
    [AC_MSG_ERROR([apxs not found: install apache2-dev (Debian) or httpd-devel, or use --with-apxs=PATH])])
  AS_IF([test ! -x "$APXS" || test -d "$APXS"],
    [AC_MSG_ERROR([--with-apxs: "$APXS" is not a program])])
  AC_SUBST([APXS])

  HTTPD_INCLUDEDIR=`$APXS -q INCLUDEDIR 2>/dev/null`
  AS_IF([test ! -f "$HTTPD_INCLUDEDIR/httpd.h"],
    [AC_MSG_ERROR([no httpd.h in "$HTTPD_INCLUDEDIR", the directory named by $APXS])])
  AC_SUBST([HTTPD_INCLUDEDIR])
  HTTPD_LIBEXECDIR=`$APXS -q exp_libexecdir 2>/dev/null || $APXS -q LIBEXECDIR`
  AC_SUBST([HTTPD_LIBEXECDIR])
  AS_IF([test -z "$moduledir"], [moduledir=$HTTPD_LIBEXECDIR])
  AC_SUBST([moduledir])

  # Debian's apxs has PROGNAME; httpd's own has it too since 2.3.
  r307_sbindir=`$APXS -q SBINDIR 2>/dev/null || $APXS -q sbindir`
  r307_progname=`$APXS -q PROGNAME 2>/dev/null || echo httpd`
  HTTPD=$r307_sbindir/$r307_progname
  AC_MSG_CHECKING([for the httpd program])
  AS_IF([test -x "$HTTPD"], [AC_MSG_RESULT([$HTTPD])],
    [AC_MSG_RESULT([none at $HTTPD; the module builds, "make check" needs it])])
  AC_SUBST([HTTPD])

  # What the command-line tool asks for the configuration: it knows httpd's
  # environment.  httpd itself will do where there is none.
  AC_PATH_PROGS([APACHECTL], [apachectl apache2ctl httpdctl], [$HTTPD],
    [$r307_sbindir$PATH_SEPARATOR$PATH$PATH_SEPARATOR/usr/sbin])
])

# R307_CHECK_HTTPD(MAJOR, MINOR, PATCH): the version comes from the headers we
# compile against, not from a program that may be another one.
AC_DEFUN([R307_CHECK_HTTPD], [
  AC_MSG_CHECKING([for httpd >= $1.$2.$3])
  r307_save_CPPFLAGS=$CPPFLAGS
  CPPFLAGS="$CPPFLAGS -I$HTTPD_INCLUDEDIR"
  AC_COMPUTE_INT([r307_httpd_version],
    [AP_SERVER_MAJORVERSION_NUMBER * 1000000 + AP_SERVER_MINORVERSION_NUMBER * 1000 + AP_SERVER_PATCHLEVEL_NUMBER],
    [@%:@include <ap_release.h>], [r307_httpd_version=0])
  CPPFLAGS=$r307_save_CPPFLAGS
  HTTPD_VERSION=`expr $r307_httpd_version / 1000000`.`expr $r307_httpd_version / 1000 % 1000`.`expr $r307_httpd_version % 1000`
  AC_MSG_RESULT([$HTTPD_VERSION])
  AS_IF([test "$r307_httpd_version" -eq 0],
    [AC_MSG_ERROR([ap_release.h in $HTTPD_INCLUDEDIR does not compile; see config.log])])
  AS_IF([test "$r307_httpd_version" -lt `expr $1 \* 1000000 + $2 \* 1000 + $3`],
    [AC_MSG_ERROR([httpd $HTTPD_VERSION is too old: $1.$2.$3 or later is needed])])
  AC_SUBST([HTTPD_VERSION])
  HTTPD_CPPFLAGS="-isystem $HTTPD_INCLUDEDIR"
  for r307_name in EXTRA_CPPFLAGS NOTEST_CPPFLAGS EXTRA_CFLAGS; do
    HTTPD_CPPFLAGS="$HTTPD_CPPFLAGS `$APXS -q $r307_name 2>/dev/null`"
  done
  AC_SUBST([HTTPD_CPPFLAGS])
])

# R307_CHECK_APR(APR-VERSION, APU-VERSION)
AC_DEFUN([R307_CHECK_APR], [
  APR_CONFIG=`$APXS -q APR_CONFIG 2>/dev/null`
  APU_CONFIG=`$APXS -q APU_CONFIG 2>/dev/null`
  AS_IF([test -z "$APR_CONFIG"], [APR_CONFIG=apr-1-config])
  AS_IF([test -z "$APU_CONFIG"], [APU_CONFIG=apu-1-config])

  AC_MSG_CHECKING([for APR >= $1])
  APR_VERSION=`$APR_CONFIG --version 2>/dev/null`
  AC_MSG_RESULT([${APR_VERSION:-not found}])
  AS_IF([test -z "$APR_VERSION"],
    [AC_MSG_ERROR([$APR_CONFIG does not run: install libapr1-dev (Debian) or apr-devel])])
  AS_VERSION_COMPARE([$APR_VERSION], [$1],
    [AC_MSG_ERROR([APR $APR_VERSION is too old: $1 or later is needed])])

  AC_MSG_CHECKING([for APR-util >= $2])
  APU_VERSION=`$APU_CONFIG --version 2>/dev/null`
  AC_MSG_RESULT([${APU_VERSION:-not found}])
  AS_IF([test -z "$APU_VERSION"],
    [AC_MSG_ERROR([$APU_CONFIG does not run: install libaprutil1-dev (Debian) or apr-util-devel])])
  AS_VERSION_COMPARE([$APU_VERSION], [$2],
    [AC_MSG_ERROR([APR-util $APU_VERSION is too old: $2 or later is needed])])

  APR_CPPFLAGS="`$APR_CONFIG --cppflags` `$APR_CONFIG --includes` `$APU_CONFIG --includes`"
  R307_SYSTEM_INCLUDES([APR_CPPFLAGS])
  APR_LIBS="`$APU_CONFIG --link-ld --libs` `$APR_CONFIG --link-ld --libs`"
  AC_SUBST([APR_CPPFLAGS])
  AC_SUBST([APR_LIBS])
  AC_SUBST([APR_VERSION])
  AC_SUBST([APU_VERSION])
])

# R307_CHECK_PCRE2: pkg-config if it knows, else pcre2-config.
AC_DEFUN([R307_CHECK_PCRE2], [
  AC_ARG_VAR([PKG_CONFIG], [path to pkg-config])
  AC_ARG_VAR([PCRE2_CFLAGS], [compiler flags for libpcre2-8, overriding pkg-config])
  AC_ARG_VAR([PCRE2_LIBS], [linker flags for libpcre2-8, overriding pkg-config])
  AC_PATH_TOOL([PKG_CONFIG], [pkg-config])
  AC_PATH_TOOL([PCRE2_CONFIG], [pcre2-config])
  AC_MSG_CHECKING([for libpcre2-8])
  AS_IF([test -n "$PCRE2_LIBS"],
      [PCRE2_VERSION="given by PCRE2_LIBS"],
    [test -n "$PKG_CONFIG" && $PKG_CONFIG --exists libpcre2-8 2>/dev/null],
      [PCRE2_VERSION=`$PKG_CONFIG --modversion libpcre2-8`
       PCRE2_CFLAGS=`$PKG_CONFIG --cflags libpcre2-8`
       PCRE2_LIBS=`$PKG_CONFIG --libs libpcre2-8`],
    [test -n "$PCRE2_CONFIG"],
      [PCRE2_VERSION=`$PCRE2_CONFIG --version`
       PCRE2_CFLAGS=`$PCRE2_CONFIG --cflags`
       PCRE2_LIBS=`$PCRE2_CONFIG --libs8`],
      [AC_MSG_RESULT([not found])
       AC_MSG_ERROR([libpcre2-8 not found: install libpcre2-dev (Debian) or pcre2-devel])])
  AC_MSG_RESULT([$PCRE2_VERSION])
  R307_SYSTEM_INCLUDES([PCRE2_CFLAGS])

  r307_save_CPPFLAGS=$CPPFLAGS
  r307_save_LIBS=$LIBS
  CPPFLAGS="$CPPFLAGS $PCRE2_CFLAGS"
  LIBS="$PCRE2_LIBS $LIBS"
  AC_MSG_CHECKING([whether libpcre2-8 links])
  AC_LINK_IFELSE([AC_LANG_PROGRAM([[
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>]], [[pcre2_match_data_free(0);]])],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([a program with libpcre2-8 does not link; see config.log])])
  CPPFLAGS=$r307_save_CPPFLAGS
  LIBS=$r307_save_LIBS
])

# R307_CHECK_JANSSON: for sources of geo facts that are JSON.
AC_DEFUN([R307_CHECK_JANSSON], [
  AC_ARG_VAR([JANSSON_CFLAGS], [compiler flags for jansson, overriding pkg-config])
  AC_ARG_VAR([JANSSON_LIBS], [linker flags for jansson, overriding pkg-config])
  AC_MSG_CHECKING([for jansson >= 2.7])
  AS_IF([test -n "$JANSSON_LIBS"], [JANSSON_VERSION="given by JANSSON_LIBS"],
    [test -n "$PKG_CONFIG" && $PKG_CONFIG --exists 'jansson >= 2.7' 2>/dev/null],
      [JANSSON_VERSION=`$PKG_CONFIG --modversion jansson`
       JANSSON_CFLAGS=`$PKG_CONFIG --cflags jansson`
       JANSSON_LIBS=`$PKG_CONFIG --libs jansson`],
      [AC_MSG_RESULT([not found])
       AC_MSG_ERROR([jansson not found: install libjansson-dev (Debian) or jansson-devel])])
  AC_MSG_RESULT([$JANSSON_VERSION])
  R307_SYSTEM_INCLUDES([JANSSON_CFLAGS])
])

# R307_CHECK_CSV: optional, for the tool only; without it `redirect307 import
# cloudflare` is refused.
AC_DEFUN([R307_CHECK_CSV], [
  AC_ARG_WITH([libcsv],
    [AS_HELP_STRING([--without-libcsv],
      [do not use libcsv (default: when it is found)])],
    [], [with_libcsv=auto])
  CSV_CPPFLAGS=
  CSV_LIBS=
  AS_IF([test "$with_libcsv" != no], [
    AC_CHECK_HEADER([csv.h],
      [AC_CHECK_LIB([csv], [csv_parse],
        [CSV_CPPFLAGS=-DHAVE_CSV=1
         CSV_LIBS=-lcsv])])
    AS_IF([test -z "$CSV_LIBS" && test "$with_libcsv" != auto],
      [AC_MSG_ERROR([libcsv not found: install libcsv-dev (Debian) or libcsv-devel])])
  ])
  AS_IF([test -n "$CSV_LIBS"], [CSV=yes], [CSV=no])
  AC_SUBST([CSV_CPPFLAGS])
  AC_SUBST([CSV_LIBS])
])

# R307_CHECK_MAXMINDDB: optional; without it mmdb: sources are refused.
AC_DEFUN([R307_CHECK_MAXMINDDB], [
  AC_ARG_WITH([maxminddb],
    [AS_HELP_STRING([--without-maxminddb],
      [do not use libmaxminddb (default: when it is found)])],
    [], [with_maxminddb=auto])
  MAXMINDDB_CPPFLAGS=
  MAXMINDDB_LIBS=
  AS_IF([test "$with_maxminddb" != no], [
    AC_CHECK_HEADER([maxminddb.h],
      [AC_CHECK_LIB([maxminddb], [MMDB_lookup_sockaddr],
        [MAXMINDDB_CPPFLAGS=-DHAVE_MAXMINDDB=1
         MAXMINDDB_LIBS=-lmaxminddb])])
    AS_IF([test -z "$MAXMINDDB_LIBS" && test "$with_maxminddb" != auto],
      [AC_MSG_ERROR([libmaxminddb not found: install libmaxminddb-dev (Debian) or libmaxminddb-devel])])
  ])
  AS_IF([test -n "$MAXMINDDB_LIBS"], [MAXMINDDB=yes], [MAXMINDDB=no])
  AC_SUBST([MAXMINDDB_CPPFLAGS])
  AC_SUBST([MAXMINDDB_LIBS])
])

# R307_ADD_CFLAG(VARIABLE, FLAG): adds FLAG if the compiler takes it silently.
# -Werror makes clang reject the flags it would only warn about.
AC_DEFUN([R307_ADD_CFLAG], [
  AC_MSG_CHECKING([whether $CC accepts $2])
  r307_save_CFLAGS=$CFLAGS
  CFLAGS="-Werror $$1 $2"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes])
     $1="$$1 $2"],
    [AC_MSG_RESULT([no])])
  CFLAGS=$r307_save_CFLAGS
])

# R307_DEFAULT_CFLAGS: without CFLAGS from the user, those httpd was built with.
AC_DEFUN([R307_DEFAULT_CFLAGS], [
  AS_IF([test -z "$R307_USER_CFLAGS"], [
    r307_defaults=
    AS_IF([test "$enable_sanitizers" != no], [r307_apxs_cflags="-g -O1"],
      [r307_apxs_cflags=`$APXS -q CFLAGS 2>/dev/null`])
    for r307_flag in $r307_apxs_cflags; do
      R307_ADD_CFLAG([r307_defaults], [$r307_flag])
    done
    AS_IF([test -n "$r307_defaults"], [CFLAGS=${r307_defaults# }])
  ])
])

# R307_WARNINGS: sets WARN_CFLAGS and HIDDEN_CFLAGS.  httpd ends its tables with
# { NULL }, so missing initialisers are no fault.
AC_DEFUN([R307_WARNINGS], [
  WARN_CFLAGS=
  m4_foreach_w([r307_w], [-std=gnu99 -Wall -Wextra -Wshadow -Wstrict-prototypes
      -Wmissing-prototypes -Wold-style-definition -Wpointer-arith
      -Wwrite-strings -Wformat=2 -Wundef -Wvla
      -Wno-missing-field-initializers],
    [R307_ADD_CFLAG([WARN_CFLAGS], r307_w)])
  AS_IF([test "$enable_werror" != no], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  WARN_CFLAGS=${WARN_CFLAGS# }
  AC_SUBST([WARN_CFLAGS])
  HIDDEN_CFLAGS=
  R307_ADD_CFLAG([HIDDEN_CFLAGS], [-fvisibility=hidden])
  dnl A redirect makes some twenty calls into APR and the C library.
  R307_ADD_CFLAG([HIDDEN_CFLAGS], [-fno-plt])
  HIDDEN_CFLAGS=${HIDDEN_CFLAGS# }
  AC_SUBST([HIDDEN_CFLAGS])
])

# R307_SANITIZERS: sets SANITIZE_CFLAGS, and SANITIZE_PRELOAD: httpd itself is
# not built with the sanitizer, so its runtime has to be loaded first.
AC_DEFUN([R307_SANITIZERS], [
  SANITIZE_CFLAGS=
  SANITIZE_PRELOAD=
  AS_IF([test "$enable_sanitizers" != no], [
    SANITIZE_CFLAGS="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
    AC_MSG_CHECKING([whether the sanitizers work])
    r307_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $SANITIZE_CFLAGS"
    AC_RUN_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       AC_MSG_ERROR([$CC cannot build with $SANITIZE_CFLAGS; for clang install libclang-rt-dev])],
      [AC_MSG_RESULT([not known when cross compiling])])
    CFLAGS=$r307_save_CFLAGS
    AC_MSG_CHECKING([for the AddressSanitizer runtime])
    for r307_lib in libclang_rt.asan-`uname -m`.so libclang_rt.asan.so libasan.so; do
      r307_file=`$CC -print-file-name=$r307_lib 2>/dev/null`
      AS_CASE([$r307_file], [/*],
        [AS_IF([test -f "$r307_file"], [SANITIZE_PRELOAD=$r307_file; break])])
    done
    AC_MSG_RESULT([${SANITIZE_PRELOAD:-not found}])
    AS_IF([test -z "$SANITIZE_PRELOAD"],
      [AC_MSG_ERROR([$CC has no shared AddressSanitizer runtime to preload into httpd])])
  ])
  AC_SUBST([SANITIZE_CFLAGS])
  AC_SUBST([SANITIZE_PRELOAD])
  AC_SUBST([SANITIZERS], [$enable_sanitizers])
])

# R307_LTO: sets LTO_CFLAGS. Optimising across files saves a tenth of what a
# redirect costs. Objects hold ordinary code as well, so that nm and clang-less
# tools read them. gcc only: clang would need another linker.
AC_DEFUN([R307_LTO], [
  LTO_CFLAGS=
  AC_ARG_ENABLE([lto], [AS_HELP_STRING([--disable-lto],
    [do not optimise across files])], [], [enable_lto=auto])
  AS_IF([test "$enable_lto" != no && test "$enable_sanitizers" = no], [
    AC_MSG_CHECKING([whether $CC optimises across files])
    r307_save_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS -flto=auto -ffat-lto-objects -Werror"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([[#ifdef __clang__
#error clang
#endif]], [])], [LTO_CFLAGS="-flto=auto -ffat-lto-objects"], [])
    CFLAGS=$r307_save_CFLAGS
    AS_IF([test -n "$LTO_CFLAGS"], [AC_MSG_RESULT([yes])],
      [AC_MSG_RESULT([no])
       AS_IF([test "$enable_lto" = yes],
         [AC_MSG_ERROR([--enable-lto: $CC cannot])])])
  ])
  AC_SUBST([LTO_CFLAGS])
  dnl Tests are linked without: they gain nothing by it.
  AS_IF([test -n "$LTO_CFLAGS"], [NO_LTO_LDFLAGS=-fno-lto], [NO_LTO_LDFLAGS=])
  AC_SUBST([NO_LTO_LDFLAGS])
])

AC_DEFUN([R307_SUMMARY], [
  cat <<_R307_SUMMARY

$PACKAGE_NAME $PACKAGE_VERSION

  httpd        $HTTPD_VERSION   $HTTPD
  apxs         $APXS
  APR          $APR_VERSION, APR-util $APU_VERSION
  PCRE2        $PCRE2_VERSION
  jansson      $JANSSON_VERSION
  libmaxminddb $MAXMINDDB
  libcsv       $CSV
  compiler     $CC $CFLAGS
  warnings     errors: $enable_werror
  sanitizers   $enable_sanitizers${SANITIZE_PRELOAD:+ (preloads $SANITIZE_PRELOAD)}
  install to   $moduledir (activation: $enable_activation)
  live tests   $LIVE_MPMS

Next: make, make check, make install.

_R307_SUMMARY
])
