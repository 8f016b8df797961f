-- Licensed under the Apache License, Version 2.0; see LICENSE.
--
-- The store of mod_redirect307 in SQLite 3.24 or later, version 1.
--
-- `redirect307 sql init --sqlite FILE` runs this file in one transaction;
-- sqlite3 does as well:
--     (echo 'BEGIN;'; cat redirect307-sqlite.sql; echo 'COMMIT;') |
--         sqlite3 -bail FILE
--
-- Rules are written with plain SQL into redirect307_rule, by any client.
-- Triggers keep redirect307_change, the log that servers follow. Old changes
-- may be deleted at any time, oldest first; a server that still needed them
-- reads all rules once.
--
-- Replace a rule with INSERT ... ON CONFLICT (id) DO UPDATE or with UPDATE. OR
-- REPLACE deletes without telling triggers; what can be seen of it in the log
-- is put right.
--
-- SQLite knows no users: by_whom is what the writer puts into changed_by.
--
-- Statements are separated by empty lines and have none inside.

CREATE TABLE redirect307_store (
    one             INTEGER PRIMARY KEY DEFAULT 1
                    CONSTRAINT only_one_row CHECK (one = 1),
    schema_version  INTEGER NOT NULL,
    -- which store this is: a copy that lives on by itself needs another one
    store_id        TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    -- one more of it, and all servers read all rules once
    epoch           INTEGER NOT NULL DEFAULT 1
);

CREATE TABLE redirect307_rule (
    -- identity, and the order where order matters, as the number of a line is
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    ruleset         TEXT NOT NULL,
    host            TEXT NOT NULL DEFAULT '',
    kind            TEXT NOT NULL DEFAULT 'prefix',
    -- decoded URL-path; of kind regex the expression
    path            TEXT NOT NULL,
    target          TEXT NOT NULL,
    -- words as at the end of a rule file's line
    options         TEXT NOT NULL DEFAULT '',
    -- UTC, to the second: 2026-12-01T08:00:00Z
    valid_from      TEXT,
    valid_until     TEXT,
    enabled         INTEGER NOT NULL DEFAULT 1,
    note            TEXT NOT NULL DEFAULT '',
    changed_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    changed_by      TEXT NOT NULL DEFAULT '',
    CONSTRAINT id_from_1_to_4294967295
        CHECK (id BETWEEN 1 AND 4294967295),
    CONSTRAINT text_is_text
        CHECK (typeof(ruleset) = 'text' AND typeof(host) = 'text'
               AND typeof(kind) = 'text' AND typeof(path) = 'text'
               AND typeof(target) = 'text' AND typeof(options) = 'text'
               AND typeof(note) = 'text' AND typeof(changed_by) = 'text'),
    CONSTRAINT ruleset_is_1_to_64_of_a_z_0_9_dot_underscore_hyphen
        CHECK (length(CAST(ruleset AS BLOB)) BETWEEN 1 AND 64
               AND ruleset NOT GLOB '*[^-A-Za-z0-9._]*'
               AND instr(CAST(ruleset AS BLOB), x'00') = 0),
    CONSTRAINT host_is_name_or_pattern
        CHECK (host = ''
               OR (length(CAST(host AS BLOB)) <= 255
                   AND instr(CAST(host AS BLOB), x'00') = 0
                   AND instr(host, '..') = 0
                   AND host NOT GLOB '[.~]*' AND host NOT GLOB '[*]..*'
                   AND host <> '*.'
                   AND CASE WHEN host GLOB '[[]*'
                       THEN host GLOB '[[]?*]'
                            AND substr(host, 2, length(host) - 2)
                                NOT GLOB '*[^0-9A-Fa-f:.]*'
                       ELSE CASE WHEN host GLOB '[*].*'
                                 THEN substr(host, 3) ELSE host END
                            NOT GLOB '*[^-A-Za-z0-9._~]*' END)),
    CONSTRAINT kind_is_prefix_exact_or_regex
        CHECK (kind IN ('prefix', 'exact', 'regex')),
    CONSTRAINT no_control_characters
        CHECK (instr(CAST(path || target || options AS BLOB), x'00') = 0
               AND (path || target || options)
                   NOT GLOB '*[' || char(1) || '-' || char(31) || char(127) || ']*'),
    CONSTRAINT path_is_not_empty
        CHECK (path <> ''),
    CONSTRAINT path_begins_with_slash
        CHECK (kind = 'regex' OR substr(path, 1, 1) = '/'),
    CONSTRAINT path_has_no_query_and_no_fragment
        CHECK (kind = 'regex' OR path NOT GLOB '*[?#]*'),
    CONSTRAINT path_with_host_has_no_scheme
        CHECK (kind = 'regex' OR host = '' OR instr(path, '://') = 0),
    CONSTRAINT regex_is_no_status_word
        CHECK (kind <> 'regex'
               OR (lower(path) NOT IN ('permanent', 'temp', 'temporary',
                                       'seeother', 'gone')
                   AND path NOT GLOB '[0-9][0-9][0-9]')),
    CONSTRAINT target_is_url_path_site_geo_or_hyphen
        CHECK (target IN ('-', 'geo', '/') OR target GLOB '/[^/\]*'
               OR instr(target, '://') > 0 OR target GLOB 'site:?*'
               OR instr(target, '$') > 0 OR instr(target, '%{') > 0),
    CONSTRAINT target_scheme_is_safe
        CHECK (lower(substr(target, 1, instr(target || ':', ':')))
               NOT IN ('javascript:', 'data:', 'vbscript:', 'file:', 'blob:',
                       'filesystem:', 'about:', 'view-source:')),
    CONSTRAINT options_leave_exact_to_kind_and_hold_no_comment
        CHECK (instr(options, '"') > 0
               OR (' ' || options || ' ' NOT GLOB '* exact *'
                   AND ' ' || options NOT GLOB '* #*')),
    CONSTRAINT options_leave_from_and_until_to_their_columns
        CHECK (instr(options, '"') > 0
               OR ((valid_from IS NULL OR ' ' || options NOT GLOB '* from=*')
                   AND (valid_until IS NULL
                        OR ' ' || options NOT GLOB '* until=*'))),
    CONSTRAINT fits_into_65535_bytes
        CHECK (length(CAST(host || path || target || options AS BLOB))
               <= 65533),
    CONSTRAINT valid_from_is_a_time_in_utc
        CHECK (valid_from IS NULL
               OR (valid_from >= '1970'
                   AND strftime('%Y-%m-%dT%H:%M:%SZ', valid_from, '+0 days')
                       IS valid_from)),
    CONSTRAINT valid_until_is_a_time_in_utc
        CHECK (valid_until IS NULL
               OR (valid_until >= '1970'
                   AND strftime('%Y-%m-%dT%H:%M:%SZ', valid_until, '+0 days')
                       IS valid_until)),
    CONSTRAINT valid_from_comes_before_valid_until
        CHECK (valid_from < valid_until),
    CONSTRAINT enabled_is_0_or_1
        CHECK (typeof(enabled) = 'integer' AND enabled IN (0, 1))
);

-- for servers, which read one rule set page by page
CREATE UNIQUE INDEX redirect307_rule_ruleset
    ON redirect307_rule (ruleset, id);

-- Written by triggers only. An image is that after a put, that before a delete.
CREATE TABLE redirect307_change (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    -- tells a store from an older copy of it that went another way
    token           TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    at              TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    by_whom         TEXT NOT NULL,
    op              TEXT NOT NULL CHECK (op IN ('put', 'delete')),
    -- put: there was no such rule before
    added           INTEGER NOT NULL,
    rule_id         INTEGER NOT NULL,
    ruleset         TEXT NOT NULL,
    host            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    path            TEXT NOT NULL,
    target          TEXT NOT NULL,
    options         TEXT NOT NULL,
    valid_from      TEXT,
    valid_until     TEXT,
    enabled         INTEGER NOT NULL,
    note            TEXT NOT NULL
);

-- for history and rollback
CREATE INDEX redirect307_change_rule
    ON redirect307_change (rule_id, seq);

-- What servers read: rules that are enabled, as lines of a rule file have them.
CREATE VIEW redirect307_row AS
    SELECT id, ruleset, host, kind, path, target,
           ltrim(options || ifnull(' from=' || valid_from, '')
                 || ifnull(' until=' || valid_until, '')) AS options
    FROM redirect307_rule
    WHERE enabled;

-- What servers follow. live: '0' when the rule is to go.
CREATE VIEW redirect307_follow AS
    SELECT seq, token, rule_id, ruleset,
           CASE WHEN op = 'put' AND enabled THEN '1' ELSE '0' END AS live,
           host, kind, path, target,
           ltrim(options || ifnull(' from=' || valid_from, '')
                 || ifnull(' until=' || valid_until, '')) AS options
    FROM redirect307_change;

-- Of OR REPLACE: the rule had the id in another rule set until now.
CREATE TRIGGER redirect307_insert AFTER INSERT ON redirect307_rule
BEGIN
    INSERT INTO redirect307_change (by_whom, op, added, rule_id, ruleset, host,
        kind, path, target, options, valid_from, valid_until, enabled, note)
    SELECT NEW.changed_by, 'delete', 0, rule_id, ruleset, host, kind, path,
           target, options, valid_from, valid_until, enabled, note
    FROM redirect307_change
    WHERE seq = (SELECT max(seq) FROM redirect307_change
                 WHERE rule_id = NEW.id)
          AND op = 'put' AND ruleset <> NEW.ruleset;
    INSERT INTO redirect307_change (by_whom, op, added, rule_id, ruleset, host,
        kind, path, target, options, valid_from, valid_until, enabled, note)
    VALUES (NEW.changed_by, 'put',
            ifnull((SELECT op = 'delete' FROM redirect307_change
                    WHERE rule_id = NEW.id ORDER BY seq DESC LIMIT 1), 1),
            NEW.id, NEW.ruleset, NEW.host, NEW.kind, NEW.path, NEW.target,
            NEW.options, NEW.valid_from, NEW.valid_until, NEW.enabled,
            NEW.note);
END;

-- By whom is not known when the writer said neither who nor when.
CREATE TRIGGER redirect307_update AFTER UPDATE OF id, ruleset, host, kind,
    path, target, options, valid_from, valid_until, enabled, note
    ON redirect307_rule
BEGIN
    UPDATE redirect307_rule
    SET changed_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), changed_by = ''
    WHERE id = NEW.id AND NEW.changed_at = OLD.changed_at
          AND NEW.changed_by = OLD.changed_by;
    INSERT INTO redirect307_change (by_whom, op, added, rule_id, ruleset, host,
        kind, path, target, options, valid_from, valid_until, enabled, note)
    SELECT CASE WHEN NEW.changed_at = OLD.changed_at
                     AND NEW.changed_by = OLD.changed_by
                THEN '' ELSE NEW.changed_by END,
           'delete', 0, OLD.id, OLD.ruleset, OLD.host, OLD.kind, OLD.path,
           OLD.target, OLD.options, OLD.valid_from, OLD.valid_until,
           OLD.enabled, OLD.note
    WHERE OLD.id <> NEW.id OR OLD.ruleset <> NEW.ruleset;
    INSERT INTO redirect307_change (by_whom, op, added, rule_id, ruleset, host,
        kind, path, target, options, valid_from, valid_until, enabled, note)
    VALUES (CASE WHEN NEW.changed_at = OLD.changed_at
                      AND NEW.changed_by = OLD.changed_by
                 THEN '' ELSE NEW.changed_by END,
            'put', OLD.id <> NEW.id OR OLD.ruleset <> NEW.ruleset, NEW.id,
            NEW.ruleset, NEW.host, NEW.kind, NEW.path, NEW.target, NEW.options,
            NEW.valid_from, NEW.valid_until, NEW.enabled, NEW.note);
END;

CREATE TRIGGER redirect307_delete AFTER DELETE ON redirect307_rule
BEGIN
    INSERT INTO redirect307_change (by_whom, op, added, rule_id, ruleset, host,
        kind, path, target, options, valid_from, valid_until, enabled, note)
    VALUES ('', 'delete', 0, OLD.id, OLD.ruleset, OLD.host, OLD.kind, OLD.path,
            OLD.target, OLD.options, OLD.valid_from, OLD.valid_until,
            OLD.enabled, OLD.note);
END;

INSERT INTO redirect307_store (schema_version) VALUES (1);
