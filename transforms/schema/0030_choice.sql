-- What a person chose among versions that contradict each other (relais conflict choose).
--
-- Two contents under one instanceID, or two edits of one version, are both kept; the one received first is
-- current until a person chooses. The ledger's states and the national rows follow from the versions and
-- from these choices alone, so that a choice stands whatever arrives later, and is undone by another choice.
CREATE TABLE relais.choice (
    choice_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the later choice stands over the earlier one
    sub_id    uuid        NOT NULL REFERENCES relais.submission ON DELETE CASCADE,
    rivals    uuid[]      NOT NULL,
    chosen_at timestamptz NOT NULL DEFAULT now(),
    chosen_by text        NOT NULL CHECK (chosen_by <> ''),
    login     text        NOT NULL DEFAULT session_user,
    reason    text        NOT NULL DEFAULT ''
);
CREATE INDEX choice_sub_id ON relais.choice (sub_id);
CREATE INDEX choice_rivals ON relais.choice USING gin (rivals);
COMMENT ON TABLE relais.choice IS 'Ce que quelqu''un a choisi entre des versions qui se contredisent';
COMMENT ON COLUMN relais.choice.choice_id IS 'Rang : le dernier choix l''emporte';
COMMENT ON COLUMN relais.choice.sub_id IS 'La version choisie';
COMMENT ON COLUMN relais.choice.rivals IS 'Les autres versions connues alors, qui ne sont plus en conflit';
COMMENT ON COLUMN relais.choice.chosen_at IS 'Quand';
COMMENT ON COLUMN relais.choice.chosen_by IS 'Qui a choisi, tel que donné';
COMMENT ON COLUMN relais.choice.login IS 'Le compte de la base par lequel';
COMMENT ON COLUMN relais.choice.reason IS 'Pourquoi ; vidé quand la fiche est effacée';
