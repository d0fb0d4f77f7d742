-- The tables of the national report, the indicator 16.2.2 and corridors.
BEGIN;
SELECT plan(6);
SELECT bag_eq('TABLE stat.coverage', 'TABLE truth.coverage', 'every line of coverage is what the population says');
SELECT bag_eq('TABLE stat.coverage_month', 'TABLE truth.coverage_month', 'every line of coverage_month is what the population says');
SELECT bag_eq('TABLE stat.interceptions', 'TABLE truth.interceptions', 'every line of interceptions is what the population says');
SELECT bag_eq('TABLE stat.reinsertion', 'TABLE truth.reinsertion', 'every line of reinsertion is what the population says');
SELECT bag_eq('TABLE stat.sdg_16_2_2', 'TABLE truth.sdg_16_2_2', 'every line of sdg_16_2_2 is what the population says');
SELECT bag_eq('TABLE stat.corridor', 'TABLE truth.corridor', 'every line of corridor is what the population says');
SELECT * FROM finish();
ROLLBACK;
