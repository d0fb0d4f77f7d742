-- Cases, links between recordings, and shares of answers.
BEGIN;
SELECT plan(6);
SELECT bag_eq('TABLE stat.suspect_fact', 'TABLE truth.suspect_fact', 'every line of suspect_fact is what the population says');
SELECT bag_eq('TABLE stat.justice_funnel', 'TABLE truth.justice_funnel', 'every line of justice_funnel is what the population says');
SELECT bag_eq('TABLE stat.linkage', 'TABLE truth.linkage', 'every line of linkage is what the population says');
SELECT bag_eq('TABLE stat.linkage_pair', 'TABLE truth.linkage_pair', 'every line of linkage_pair is what the population says');
SELECT bag_eq('TABLE stat.actor_overlap', 'TABLE truth.actor_overlap', 'every line of actor_overlap is what the population says');
SELECT bag_eq('TABLE stat.answer_share', 'TABLE truth.answer_share', 'every line of answer_share is what the population says');
SELECT * FROM finish();
ROLLBACK;
