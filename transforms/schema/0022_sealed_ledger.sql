-- What is kept of a form marked sensitive lies sealed in the ledger, for a key that is not on the server.
ALTER TABLE relais.submission ADD COLUMN seal text, ADD COLUMN trace jsonb;
ALTER TABLE relais.attachment ADD COLUMN seal text;
COMMENT ON COLUMN relais.submission.xml IS 'Les octets reçus, un à un ; scellés (CMS) quand la colonne seal est remplie';
COMMENT ON COLUMN relais.submission.seal IS
    'Empreinte de la clé pour laquelle xml est scellé (SHA-256 de sa partie publique) ; NULL : en clair';
COMMENT ON COLUMN relais.submission.trace IS
    'D''une version scellée dont les lignes sont en place : les clés par lesquelles une correction les retrouve';
COMMENT ON COLUMN relais.attachment.bytes IS 'Le fichier ; scellé (CMS) quand la colonne seal est remplie';
COMMENT ON COLUMN relais.attachment.seal IS
    'Empreinte de la clé pour laquelle bytes est scellé ; NULL : en clair. size et sha256 sont du fichier en clair';

-- The forwarder cannot read a sealed version again. What it may need later (a version that waits for its
-- parent, an edit whose first version has not come) is kept as rows, and for no longer than that.
CREATE TABLE relais.evaluated (
    sub_id         uuid PRIMARY KEY REFERENCES relais.submission ON DELETE CASCADE,
    mapping_sha256 bytea NOT NULL REFERENCES relais.mapping,
    body           jsonb NOT NULL
);
COMMENT ON TABLE relais.evaluated IS
    'Lignes d''une version scellée qui attend encore : rien de plus que ce qu''en diraient les tables nationales';
COMMENT ON COLUMN relais.evaluated.sub_id IS 'La version du registre';
COMMENT ON COLUMN relais.evaluated.mapping_sha256 IS 'La correspondance qui a fait ces lignes';
COMMENT ON COLUMN relais.evaluated.body IS 'Lignes, avec le chemin de chaque réponse, et les clés faites du nom de la fiche';
