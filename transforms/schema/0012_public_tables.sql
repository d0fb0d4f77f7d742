-- What may leave the coordination unit: one fixed table, for the public (k = 11) and between
-- ministries (k = 5).
--
-- A cell of fewer than k people, or of none, is masked; the others are rounded down to five. The table
-- has the same lines whatever the data, so a masked cell does not even say that somebody is in it.
--
-- Totals could undo a mask: total minus the cells that are shown. They are rounded too, and a total is
-- shown only where every masked cell below it could still hold 0, 1, 2, 3 or 4 people, whatever else of
-- the table is used. Totals are nested (country, region of 2024, region of 2025, cells), never crossed:
-- in a tree, what a reader can infer goes along its edges alone, which makes the test exact:
--
--   lo..hi      what the shown figures below a node say of its number
--   a..b        what its number may be narrowed to without harm: from a or less, to b or more
--   shown       its own rounded number, of which the reader knows 5n..5n+4 and at least k, reaches past a..b
--
-- A total that is not shown is "…" and says nothing, not even that it is k or more. A national breakdown by
-- sex or form crosses this tree: it must not be published beside it with numbers of the same day.

CREATE FUNCTION stat.safe(n bigint, k integer DEFAULT 11) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT CASE WHEN n < k THEN '<' || k ELSE (n / 5 * 5)::text END $$;
REVOKE EXECUTE ON FUNCTION stat.safe(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stat.safe(bigint, integer) TO relais_analyst, relais_coordination;
COMMENT ON FUNCTION stat.safe(bigint, integer) IS
    'Un nombre publiable seul : « <k » en dessous de k, zéro compris, sinon arrondi au multiple de 5 inférieur. Ne protège pas des différences entre un total et ses parties : stat.protected_table le fait';

CREATE VIEW stat.public_cell WITH (security_barrier) AS
WITH place AS (
    SELECT a.region, a.region_13 FROM stat.place_area a WHERE a.region = a.place_code
    UNION ALL VALUES ('unknown', 'unknown')
), line AS (
    SELECT y.year, p.region_13, p.region, s.sex, g.age_group, c.tip_class
      FROM (SELECT generate_series(min(f.year), max(f.year)) FROM stat.victim_fact f) AS y(year)
     CROSS JOIN place p
     CROSS JOIN (VALUES ('sx_f'), ('sx_m'), ('sx_unk')) AS s(sex)
     CROSS JOIN (VALUES ('child'), ('adult'), ('unknown')) AS g(age_group)
     CROSS JOIN (VALUES ('SEX'), ('LAB'), ('OTH'), ('UNK')) AS c(tip_class)
), found AS (
    SELECT f.year, coalesce(f.region, 'unknown') AS region, coalesce(f.sex, 'sx_unk') AS sex,
           coalesce(f.age_group, 'unknown') AS age_group, f.tip_class, count(*) AS n
      FROM stat.victim_fact f WHERE f.status IN ('vs_conf', 'vs_pres') GROUP BY 1, 2, 3, 4, 5
)
SELECT l.year, l.region_13, l.region, l.sex, l.age_group, l.tip_class, coalesce(n.n, 0) AS victims
  FROM line l
  LEFT JOIN found n ON (n.year, n.region, n.sex, n.age_group, n.tip_class) = (l.year, l.region, l.sex, l.age_group, l.tip_class);
COMMENT ON VIEW stat.public_cell IS 'Victimes identifiées et présumées, toutes les cases du tableau, non masquées : ne se publie pas';
COMMENT ON COLUMN stat.public_cell.year IS 'Année';
COMMENT ON COLUMN stat.public_cell.region_13 IS 'Région avant juillet 2025, unknown si inconnue';
COMMENT ON COLUMN stat.public_cell.region IS 'Région depuis juillet 2025, unknown si inconnue';
COMMENT ON COLUMN stat.public_cell.sex IS 'Sexe (liste sx)';
COMMENT ON COLUMN stat.public_cell.age_group IS 'child, adult, unknown';
COMMENT ON COLUMN stat.public_cell.tip_class IS 'Classe : SEX, LAB, OTH, UNK';
COMMENT ON COLUMN stat.public_cell.victims IS 'Personnes';

CREATE FUNCTION stat.protected_table(k integer)
RETURNS TABLE (year integer, level text, region_13 text, region text, sex text, age_group text, tip_class text, victims text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$   -- compiling takes longer than running
    WITH cell AS MATERIALIZED (
        SELECT c.*, CASE WHEN c.victims >= k THEN greatest(c.victims / 5 * 5, k) ELSE 0 END AS lo,
               CASE WHEN c.victims >= k THEN c.victims / 5 * 5 + 4 ELSE k - 1 END AS hi
          FROM stat.public_cell c WHERE k >= 5
    ), region_sum AS (
        SELECT c.year, c.region_13, c.region, sum(c.victims)::bigint AS n, sum(c.lo)::bigint AS lo, sum(c.hi)::bigint AS hi,
               -- no masked cell: nothing to protect below; a masked number of its own: see it as a cell too
               least(CASE WHEN bool_or(c.victims < k) THEN sum(c.hi) - (k - 1) END, CASE WHEN sum(c.victims) < k THEN 0 END) AS a,
               greatest(CASE WHEN bool_or(c.victims < k) THEN sum(c.lo) + 4 END, CASE WHEN sum(c.victims) < k THEN 4 END) AS b
          FROM cell c GROUP BY c.year, c.region_13, c.region
    ), region AS (
        SELECT r.*, w.shown, CASE WHEN w.shown THEN greatest(r.lo, w.at_least) ELSE r.lo END AS known_lo,
               CASE WHEN w.shown THEN least(r.hi, w.at_most) ELSE r.hi END AS known_hi
          FROM region_sum r CROSS JOIN LATERAL (
               SELECT greatest(r.n / 5 * 5, k) AS at_least, r.n / 5 * 5 + 4 AS at_most,
                      r.n >= k AND coalesce(greatest(r.n / 5 * 5, k) <= r.a, true) AND coalesce(r.n / 5 * 5 + 4 >= r.b, true) AS shown) w
    ), former_sum AS (
        SELECT r.year, r.region_13, sum(r.n)::bigint AS n, sum(r.known_lo)::bigint AS lo, sum(r.known_hi)::bigint AS hi,
               least(sum(r.known_hi) + min(r.a - r.known_hi), CASE WHEN sum(r.n) < k THEN 0 END) AS a,
               greatest(sum(r.known_lo) + max(r.b - r.known_lo), CASE WHEN sum(r.n) < k THEN 4 END) AS b
          FROM region r GROUP BY r.year, r.region_13
    ), former AS (
        SELECT f.*, w.shown, CASE WHEN w.shown THEN greatest(f.lo, w.at_least) ELSE f.lo END AS known_lo,
               CASE WHEN w.shown THEN least(f.hi, w.at_most) ELSE f.hi END AS known_hi
          FROM former_sum f CROSS JOIN LATERAL (
               SELECT greatest(f.n / 5 * 5, k) AS at_least, f.n / 5 * 5 + 4 AS at_most,
                      f.n >= k AND coalesce(greatest(f.n / 5 * 5, k) <= f.a, true) AND coalesce(f.n / 5 * 5 + 4 >= f.b, true) AS shown) w
    ), country AS (
        SELECT f.year, sum(f.n)::bigint AS n, sum(f.known_hi) + min(f.a - f.known_hi) AS a, sum(f.known_lo) + max(f.b - f.known_lo) AS b
          FROM former f GROUP BY f.year
    )
    SELECT c.year, 'country', NULL, NULL, NULL, NULL, NULL,
           CASE WHEN c.n >= k AND coalesce(greatest(c.n / 5 * 5, k) <= c.a, true) AND coalesce(c.n / 5 * 5 + 4 >= c.b, true)
                THEN stat.safe(c.n, k) ELSE '…' END
      FROM country c
    UNION ALL
    SELECT f.year, 'region_13', f.region_13, NULL, NULL, NULL, NULL, CASE WHEN f.shown THEN stat.safe(f.n, k) ELSE '…' END FROM former f
    UNION ALL
    SELECT r.year, 'region', r.region_13, r.region, NULL, NULL, NULL, CASE WHEN r.shown THEN stat.safe(r.n, k) ELSE '…' END FROM region r
    UNION ALL
    SELECT c.year, 'cell', c.region_13, c.region, c.sex, c.age_group, c.tip_class, stat.safe(c.victims, k) FROM cell c
     ORDER BY 1, 3 NULLS FIRST, 4 NULLS FIRST, 5 NULLS FIRST, 6, 7
$$;
COMMENT ON FUNCTION stat.protected_table(integer) IS
    'Tableau publiable : cases de moins de k personnes masquées, le reste arrondi, totaux montrés seulement s''ils ne défont aucun masque. aucune ligne pour un k de moins de 5';
REVOKE EXECUTE ON FUNCTION stat.protected_table(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stat.protected_table(integer) TO relais_analyst, relais_coordination;

-- A view's reader needs the right to call what it calls, and may not choose k: hence one function each.
CREATE FUNCTION stat.public_lines()
RETURNS TABLE (year integer, level text, region_13 text, region text, sex text, age_group text, tip_class text, victims text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM stat.protected_table(11) $$;
CREATE FUNCTION stat.ministry_lines()
RETURNS TABLE (year integer, level text, region_13 text, region text, sex text, age_group text, tip_class text, victims text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM stat.protected_table(5) $$;
COMMENT ON FUNCTION stat.public_lines() IS 'Lignes de stat.public_table (k = 11)';
COMMENT ON FUNCTION stat.ministry_lines() IS 'Lignes de stat.ministry_table (k = 5)';
REVOKE EXECUTE ON FUNCTION stat.public_lines(), stat.ministry_lines() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stat.public_lines(), stat.ministry_lines() TO relais_analyst, relais_coordination;

CREATE VIEW stat.public_table WITH (security_barrier) AS SELECT * FROM stat.public_lines();
CREATE VIEW stat.ministry_table WITH (security_barrier) AS SELECT * FROM stat.ministry_lines();
COMMENT ON VIEW stat.public_table IS 'Pour le public : victimes identifiées et présumées par année, région, sexe, âge et classe d''exploitation ; cases de moins de 11 masquées';
COMMENT ON VIEW stat.ministry_table IS 'Entre ministères : le même tableau, cases de moins de 5 masquées';
DO $$
DECLARE
    one text;
    explained text;
    meaning text;
BEGIN
    FOREACH one IN ARRAY ARRAY['public_table', 'ministry_table'] LOOP
        FOR explained, meaning IN VALUES
            ('year', 'Année'),
            ('level', 'country total du pays, region_13 total d''une région d''avant 2025, region d''une région actuelle, cell une case'),
            ('region_13', 'Région avant juillet 2025 (13)'),
            ('region', 'Région depuis juillet 2025 (17)'),
            ('sex', 'Sexe (liste sx)'),
            ('age_group', 'child, adult, unknown'),
            ('tip_class', 'Classe : SEX sexuelle, LAB travail, OTH autre, UNK inconnue'),
            ('victims', 'Personnes : arrondi au multiple de 5 inférieur ; <11 ou <5 masqué, zéro compris ; … total non montré')
        LOOP
            EXECUTE format('COMMENT ON COLUMN stat.%I.%I IS %L', one, explained, meaning);
        END LOOP;
    END LOOP;
END
$$;
GRANT SELECT ON stat.public_cell, stat.public_table, stat.ministry_table TO relais_coordination, relais_analyst;
