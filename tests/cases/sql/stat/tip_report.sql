-- The lines of the international report, for calendar years, years from April, and a single day.
BEGIN;
SELECT plan(3);
SELECT bag_eq('SELECT t.period_from, t.period_to, r.line, r.total, r.female, r.male, r.children, r.adults, r.nationals, r.foreigners
                 FROM (SELECT DISTINCT period_from, period_to FROM truth.tip_report) t CROSS JOIN LATERAL stat.tip_report(t.period_from, t.period_to) r',
              'SELECT period_from, period_to, line, total, female, male, children, adults, nationals, foreigners FROM truth.tip_report',
              'every line of every period is what the population says');
SELECT is((SELECT array_agg(line) FROM stat.tip_report('1999-01-01', '1999-01-02') WHERE total = 0),
          '{V1,V1.1,V1.2,V1.3,V2,V3,V4,V5,P1,P2,P3,P3.1,P3.2,P4}', 'a period without anybody has all its lines');
SELECT results_eq('SELECT line, total FROM stat.tip_report(NULL, NULL)', 'SELECT line, total FROM stat.tip_report(''1900-01-01'', ''2100-01-01'')',
                  'a period without a beginning or an end is open');
SELECT * FROM finish();
ROLLBACK;
