-- People, counted once each, and the rows they are counted from.
BEGIN;
SELECT plan(3);
SELECT bag_eq('TABLE stat.victim_fact', 'TABLE truth.victim_fact', 'every line of victim_fact is what the population says');
SELECT bag_eq('TABLE stat.region_series', 'TABLE truth.region_series', 'every line of region_series is what the population says');
SELECT bag_eq('TABLE stat.recording_count', 'TABLE truth.recording_count', 'every line of recording_count is what the population says');
SELECT * FROM finish();
ROLLBACK;
