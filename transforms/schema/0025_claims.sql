-- What each record says of a row that several records may write.
--
-- A case is told by whoever has news of it, and the newest business date stands (if-exists="newest" in a
-- mapping). When a correction takes a record's word back, the row must be what the others say of it, and go
-- when nobody says anything. The others' answers cannot be had from the ledger (of sensitive forms it holds
-- them sealed), so each record's own values are kept here, next to the row that one of them became.
--
-- A claim lives as long as its version is current: it is written with the rows and taken back with them. It
-- holds nothing that the row itself could not.
CREATE TABLE relais.claim (
    table_name text  NOT NULL,
    key        jsonb NOT NULL CHECK (jsonb_typeof(key) = 'array'),
    sub_id     uuid  NOT NULL REFERENCES relais.submission,
    said       jsonb NOT NULL CHECK (jsonb_typeof(said) = 'object'),
    PRIMARY KEY (table_name, key, sub_id)
);
CREATE INDEX claim_sub_id ON relais.claim (sub_id);
COMMENT ON TABLE relais.claim IS 'Ce que chaque fiche dit d''une ligne que plusieurs fiches peuvent écrire ; la ligne est le dire le plus récent';
COMMENT ON COLUMN relais.claim.table_name IS 'Table de la ligne, schéma compris';
COMMENT ON COLUMN relais.claim.key IS 'Clé primaire de la ligne, dans l''ordre de ses colonnes';
COMMENT ON COLUMN relais.claim.sub_id IS 'Version de la fiche qui le dit';
COMMENT ON COLUMN relais.claim.said IS 'Valeurs, par colonne, en texte';
