-- A small schema with every shape of row that a mapping can make, for the forwarder's tests.
CREATE SCHEMA ref;
CREATE SCHEMA lab;
CREATE TABLE ref.code (code text PRIMARY KEY, list text NOT NULL);
INSERT INTO ref.code VALUES ('sx_f', 'sx'), ('sx_m', 'sx'), ('it_a', 'it'), ('it_b', 'it'), ('it_c', 'it');
CREATE TABLE lab.person (person_id uuid PRIMARY KEY, code text NOT NULL UNIQUE);
CREATE TABLE lab.visit (
    visit_id uuid PRIMARY KEY, sub_id uuid NOT NULL, person_id uuid NOT NULL REFERENCES lab.person,
    sex text REFERENCES ref.code, age smallint CONSTRAINT visit_age CHECK (age < 111), visited_on date NOT NULL,
    note character(12), told boolean NOT NULL DEFAULT true, address inet);
CREATE TABLE lab.item (
    visit_id uuid NOT NULL REFERENCES lab.visit ON DELETE CASCADE, code text NOT NULL REFERENCES ref.code,
    PRIMARY KEY (visit_id, code));
CREATE TABLE lab.leg (
    visit_id uuid NOT NULL REFERENCES lab.visit ON DELETE CASCADE, seq smallint NOT NULL, place text NOT NULL,
    PRIMARY KEY (visit_id, seq));
CREATE TABLE lab.side (side_id uuid PRIMARY KEY, sub_id uuid NOT NULL, what text);
CREATE TABLE lab.registry (code text PRIMARY KEY, sub_id uuid NOT NULL, stage text NOT NULL, stage_date date NOT NULL);
CREATE TABLE lab.follow (
    follow_id uuid PRIMARY KEY, sub_id uuid NOT NULL, code text NOT NULL REFERENCES lab.registry, said text);
