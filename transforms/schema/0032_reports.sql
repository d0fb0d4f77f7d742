-- What the office must hear of although no national row tells it: submissions that a phone could not send,
-- and submissions that came in the clear; and what `relais status` looks up of devices and of answers that
-- no mapping reads.
--
-- A refusal is counted, not listed: a phone sends again for ever. One row a day for each submission, and no
-- more rows a day than the forwarder's limit, beyond which a last row of the source « autres » counts.
CREATE TABLE relais.refusal (
    day          date        NOT NULL,
    source       text        NOT NULL,
    device_id    text        NOT NULL,
    submitted_by text        NOT NULL,
    form_id      text        NOT NULL,
    instance_id  text        NOT NULL,
    form_version text        NOT NULL,
    size         bigint,
    size_limit   bigint,
    first_at     timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    times        integer     NOT NULL CHECK (times > 0),
    last_note    uuid        NOT NULL,
    PRIMARY KEY (day, source, device_id, submitted_by, form_id, instance_id)
);
COMMENT ON TABLE relais.refusal IS 'Ce qu''un téléphone n''a pas pu envoyer, parce que trop grand ; aucune réponse n''y figure';
COMMENT ON COLUMN relais.refusal.day IS 'Jour (UTC)';
COMMENT ON COLUMN relais.refusal.source IS 'Où : serve, capture ; « autres » : au-delà de la limite du jour, seulement comptés';
COMMENT ON COLUMN relais.refusal.device_id IS 'Appareil, tel qu''il se nomme';
COMMENT ON COLUMN relais.refusal.submitted_by IS 'Compte, tel qu''il est donné : en capture personne ne l''a vérifié';
COMMENT ON COLUMN relais.refusal.form_id IS 'Formulaire ; vide quand le début de l''envoi ne le dit pas';
COMMENT ON COLUMN relais.refusal.instance_id IS 'Fiche ; de même';
COMMENT ON COLUMN relais.refusal.form_version IS 'Version du formulaire ; de même';
COMMENT ON COLUMN relais.refusal.size IS 'Octets annoncés, ou reçus avant le refus ; le plus grand des essais';
COMMENT ON COLUMN relais.refusal.size_limit IS 'Octets permis ; NULL quand c''est le serveur derrière qui a refusé';
COMMENT ON COLUMN relais.refusal.first_at IS 'Premier essai du jour';
COMMENT ON COLUMN relais.refusal.last_at IS 'Dernier essai du jour';
COMMENT ON COLUMN relais.refusal.times IS 'Essais comptés ce jour ; il peut y en avoir eu davantage';
COMMENT ON COLUMN relais.refusal.last_note IS 'Dernière note comptée : une note lue deux fois compte une fois';

CREATE TABLE relais.incident (
    incident_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('plaintext')),
    parcel       text        NOT NULL,
    found_at     timestamptz NOT NULL DEFAULT now(),
    received_at  timestamptz,
    source       text        NOT NULL,
    form_id      text        NOT NULL,
    instance_id  text        NOT NULL,
    sub_id       uuid,
    device_id    text        NOT NULL,
    submitted_by text        NOT NULL,
    is_sealed    boolean     NOT NULL,
    UNIQUE (kind, parcel)
);
CREATE INDEX incident_found ON relais.incident (found_at);
COMMENT ON TABLE relais.incident IS 'Ce qui a exposé des réponses et que quelqu''un doit examiner ; aucune réponse n''y figure';
COMMENT ON COLUMN relais.incident.incident_id IS 'Rang';
COMMENT ON COLUMN relais.incident.kind IS 'plaintext : une fiche d''un formulaire chiffré est arrivée en clair';
COMMENT ON COLUMN relais.incident.parcel IS 'Nom du colis, en quarantaine et dans les journaux';
COMMENT ON COLUMN relais.incident.found_at IS 'Quand on s''en est aperçu';
COMMENT ON COLUMN relais.incident.received_at IS 'Quand le serveur l''a reçue';
COMMENT ON COLUMN relais.incident.source IS 'Par où';
COMMENT ON COLUMN relais.incident.form_id IS 'Formulaire';
COMMENT ON COLUMN relais.incident.instance_id IS 'Fiche ; vidé quand elle est effacée';
COMMENT ON COLUMN relais.incident.sub_id IS 'La version dans le registre ; NULL quand il n''en garde rien';
COMMENT ON COLUMN relais.incident.device_id IS 'Appareil qui l''a envoyée';
COMMENT ON COLUMN relais.incident.submitted_by IS 'Compte qui l''a envoyée';
COMMENT ON COLUMN relais.incident.is_sealed IS 'Scellée depuis ; sinon elle est en clair dans la quarantaine';

-- Of each device and user: when first and last heard, and the silences between, without reading the ledger.
CREATE INDEX submission_device ON relais.submission (device_id, submitted_by, received_at);
CREATE INDEX submission_unmapped ON relais.submission (form_id) WHERE cardinality(unmapped) > 0;
