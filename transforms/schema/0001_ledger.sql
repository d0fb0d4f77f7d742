-- The ledger: one row for each received version of a submission, with its bytes.
-- Applied by `relais plan | psql`. Never edited once applied: later changes are new files.
CREATE SCHEMA IF NOT EXISTS relais;
COMMENT ON SCHEMA relais IS 'Registre de Relais : ce qui a été reçu, et ce qu''il en est advenu';

CREATE TABLE relais.mapping (
    mapping_sha256 bytea PRIMARY KEY CHECK (octet_length(mapping_sha256) = 32),
    form_id        text        NOT NULL,
    body           text        NOT NULL,
    first_used     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE relais.mapping IS 'Chaque correspondance formulaire-tables qui a servi, par empreinte';

CREATE TABLE relais.submission (
    sub_id         uuid PRIMARY KEY,                -- uuid5(form_id, instance_id, xml_sha256)
    form_id        text        NOT NULL,
    instance_id    text        NOT NULL,            -- "sha256:<hex>" when the submission has none
    xml_sha256     bytea       NOT NULL CHECK (octet_length(xml_sha256) = 32),
    record_id      text        NOT NULL,            -- first instance of the edit chain
    deprecated_id  text,                            -- the version that this one replaces
    form_version   text        NOT NULL DEFAULT '',
    state          text        NOT NULL CHECK (state IN
                   ('delivered', 'partial', 'held', 'quarantined', 'superseded', 'conflict', 'erased')),
    received_at    timestamptz NOT NULL,            -- by the web server, from the parcel
    delivered_at   timestamptz,                     -- when its rows were committed
    source         text        NOT NULL,
    submitted_by   text        NOT NULL DEFAULT '',
    device_id      text        NOT NULL DEFAULT '',
    mapping_sha256 bytea       REFERENCES relais.mapping,
    xml            bytea,                           -- as received, byte for byte
    repairs        text,                            -- what was repaired before reading, in words
    unmapped       text[],                          -- paths of answers that the mapping does not know
    missing        text[],                          -- names of files that answers name and that have not come
    reason         jsonb,                           -- why it is held or quarantined: class, path, column, rule
    UNIQUE (form_id, instance_id, xml_sha256)
);
COMMENT ON TABLE relais.submission IS 'Une version reçue d''une fiche ; l''unicité décide seule de ce qui est un doublon';
CREATE INDEX submission_record ON relais.submission (form_id, record_id);
CREATE INDEX submission_deprecated ON relais.submission (form_id, deprecated_id) WHERE deprecated_id IS NOT NULL;
CREATE INDEX submission_delivered ON relais.submission (form_id, delivered_at); -- "when last", by form, without a scan
CREATE INDEX submission_open ON relais.submission (state, received_at, sub_id) WHERE state <> 'delivered' AND state <> 'superseded';
-- One version of a record has its rows in the national tables, whatever any number of forwarders do at once.
CREATE UNIQUE INDEX submission_current ON relais.submission (form_id, record_id) WHERE state IN ('delivered', 'partial');

CREATE TABLE relais.attachment (
    sub_id     uuid    NOT NULL REFERENCES relais.submission ON DELETE CASCADE,
    name       text    NOT NULL,                    -- as the phone wrote it; controls as \xNN
    sha256     bytea   NOT NULL CHECK (octet_length(sha256) = 32),
    size       bigint  NOT NULL CHECK (size >= 0),
    media_type text    NOT NULL DEFAULT '',
    expected   boolean NOT NULL,                    -- an answer names it
    received_at timestamptz NOT NULL,
    bytes      bytea   NOT NULL,
    PRIMARY KEY (sub_id, name, sha256)
);
COMMENT ON TABLE relais.attachment IS 'Fichiers joints, y compris ceux qu''aucune réponse ne nomme';
ALTER TABLE relais.attachment ALTER COLUMN bytes SET STORAGE EXTERNAL; -- photos do not compress

CREATE TABLE relais.tombstone (
    form_id   text        NOT NULL,
    record_id text        NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now(),
    erased_by text        NOT NULL DEFAULT session_user,
    PRIMARY KEY (form_id, record_id)
);
COMMENT ON TABLE relais.tombstone IS 'Fiches effacées : un téléphone ne peut pas les faire revenir';
