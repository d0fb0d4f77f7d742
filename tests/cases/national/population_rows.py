"""A population as rows of the national schema: one script for psql.

People, merges, episodes and pairs are written as they are known to be. So the triggers that would find
them out are off while recordings are loaded (tests/cases/sql proves those); the others, which take
agreements back and follow visits, stay on.
"""
import csv
import io
import uuid

import generate
import population

# Year: the four parts of the population, or three of them: then there is no rate for a total.
INHABITANTS = {2024: (5_400_000, 5_550_000, 6_150_000, 5_750_000), 2025: (5_500_000, 5_650_000, 6_300_000, None)}


def inhabitants():
    for year, parts in INHABITANTS.items():
        for part, persons in zip((("sx_f", "child"), ("sx_m", "child"), ("sx_f", "adult"), ("sx_m", "adult")), parts):
            if persons:
                yield year, *part, persons, "test"


def copy(table, columns, rows):
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(["" if v is None else str(v) for v in row] for row in rows)
    return f"COPY {table} ({columns}) FROM STDIN CSV;\n{text.getvalue()}\\.\n"


class Ledger:
    """A submission for every row that needs one."""

    def __init__(self, random):
        self.random, self.rows = random, []

    def submission(self):
        key = uuid.UUID(int=self.random.getrandbits(128), version=4)
        self.rows.append((key, "test", key, f"\\x{key.hex * 2}", key, "delivered", "2027-01-01", "serve"))
        return key


def key(thing):
    return thing.id if thing is not None else None


def identification(r, ledger):
    return (r.id, ledger.submission(), r.victim.id, r.code, r.org, "A1", r.day, r.reported, r.place, r.detection, r.first_record,
            r.basis, r.stats, r.status, r.status_org, r.status_day, r.sex, r.age, r.minor_seen, r.citizenship, r.origin_country,
            r.origin_place, r.residence, r.id_doc, r.months, r.age_at_start, r.relation, r.channel)


def people_tables(p, ledger):
    victims = [v for person in p.people for v in person.victims] + [r.victim for r in p.refusals] + p.stubs
    recordings = p.all_recordings()
    visits = [visit for person in p.people for visit in person.visits]
    helps = [one for person in p.people for one in person.help]
    yield ("tip.victim", "victim_id, national_code, merged_into, primary_ident, erased_at",
           [(v.id, v.code, key(v.merged_into), key(v.chosen), "2026-11-01" if v.erased else None) for v in victims])
    yield ("tip.consent_change", "change_id, sub_id, victim_id, org_code, asked_on, wish, outcome, decided_by, decided_at",
           [(ledger.submission(), ledger.submission(), person.victims[-1].id, "SOC-NAT", person.withdrawn, "stats", "applied",
             "test", "2026-11-01") for person in p.people if person.withdrawn])
    yield ("tip.identification", "identification_id, sub_id, victim_id, national_code, org_code, agent_code, event_date, reported_at,"
           " place_code, detection, first_record, consent_basis, share_stats, status, status_org, status_date, sex, age, minor_seen,"
           " citizenship, origin_country, origin_place, residence_status, id_doc, months_exploited, age_at_start,"
           " recruiter_relation, recruit_channel", [identification(r, ledger) for r in recordings])
    yield "tip.identification_item", "identification_id, code", [(r.id, code) for r in recordings for code in r.items]
    yield ("tip.exploitation", "identification_id, seq, form, realised, main, country, place_code",
           [(r.id, *form) for r in recordings for form in r.forms])
    yield ("tip.route_leg", "identification_id, seq, kind, country, place_code", [(r.id, *leg) for r in recordings for leg in r.route])
    yield ("tip.assistance", "sub_id, seq, victim_id, org_code, service, needed_on, referred_to, referral_status, started_on, ended_on,"
           " result, place_code", [(ledger.submission(), 1, h.victim.id, h.org, h.service, h.needed, h.referred_to, h.state, h.started,
                                    h.ended, h.result, h.place) for h in helps])
    yield ("tip.followup", "followup_id, sub_id, victim_id, org_code, visited_on, case_state",
           [(visit, ledger.submission(), victim.id, "SOC-NAT", day, state) for visit, victim, day, state in visits])


def other_tables(p, ledger):
    yield ("tip.activity_report", "org_code, month, seen, sub_id, forms_sent",
           [(org, month, seen, ledger.submission(), sent) for org, month, seen, sent in p.reports])
    yield ("link.candidate", "victim_a, victim_b, reason, score, decision, decided_by, decided_at",
           [(*sorted((a.id, b.id)), reason, score, decision, *(("test", "2026-11-01") if decision != "open" else (None, None)))
            for a, b, score, reason, decision in p.pairs])
    yield "link.episode", "identification_id, decided_by", [(again.recordings[0].id, "test") for _, again in p.episodes]
    yield ("tip.criminal_case", "case_id, sub_id, case_code, org_code, opened_on, court_place, offence, cross_border, stage, stage_date,"
           " updated_at", [(c.id, ledger.submission(), c.code, c.org, c.opened, c.court, c.offence, c.cross_border, "sg_inv", c.opened,
                            "2026-11-01") for c in p.cases])
    yield ("tip.suspect", "suspect_id, sub_id, merged_into, sex, age, citizenship, public_official",
           [(s.id, ledger.submission(), key(s.merged_into), s.sex, s.age, s.citizenship, s.official) for s in p.suspects])
    yield ("tip.case_suspect", "case_id, suspect_id, role, stage, investigated_on, arrested_on, prosecuted_on, decided_on, final_on,"
           " prison_months, suspended_months, fine_xof, offence", [
               (c.case.id, c.suspect.id, c.role, c.stage, c.investigated, c.arrested, c.prosecuted, c.decided, c.final, c.prison,
                c.suspended, c.fine, c.offence) for case in p.cases for c in case.charges])


def script(p):
    ledger = Ledger(p.random)
    tables = [*people_tables(p, ledger), *other_tables(p, ledger)]
    first = [
        ("ref.place", "place_code, level, name_fr, parent, code_status", 
         [(c, "commune", c, parent, "provisional") for c, parent in population.COMMUNES]),
        ("ref.organisation", "org_code, name, org_type, place_code, valid_from, valid_to",
         [(code, code, *about) for code, about in p.organisations.items() if code not in generate.organisations()]),
        ("ref.population", "year, sex, age_group, persons, source", list(inhabitants())),
        ("relais.submission", "sub_id, form_id, instance_id, xml_sha256, record_id, state, received_at, source", ledger.rows)]
    trigger = "ALTER TABLE tip.identification {} TRIGGER identification_link_inserted;\n"
    return ("BEGIN;\nSET LOCAL timezone = 'UTC';\n" + trigger.format("DISABLE") + "".join(copy(*table) for table in first + tables)
            + "SET CONSTRAINTS ALL IMMEDIATE;\n" + trigger.format("ENABLE") + "COMMIT;\nANALYZE;\n")

