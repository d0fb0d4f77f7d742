-- People in the shapes of other standards.
BEGIN;
SELECT plan(2);
SELECT bag_eq('TABLE stat.ctdc_2024', 'TABLE truth.ctdc_2024', 'every line of ctdc_2024 is what the population says');
SELECT bag_eq('TABLE stat.htcds_2', 'TABLE truth.htcds_2', 'every line of htcds_2 is what the population says');
SELECT * FROM finish();
ROLLBACK;
