"""What submissions say, as the objects that truth.py counts from: read from their XML alone, by
what the mappings promise, without SQL and without any of the project's code.

    told = Told(submissions)      of (form, record, instance, xml, received), in any order
    told.people, told.cases, told.reports, told.pairs ...      as population.Population has them

Who is one person is found here a second time: recordings of one card, and cards of which the same
identity document was shown; and which pairs the other keys propose, with their score.
"""
import collections
import datetime
import itertools
import pathlib
import re
import sys
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "cases" / "national"))
import expected  # noqa: E402
import generate  # noqa: E402
import population  # noqa: E402
from canonical import code, fold  # noqa: E402
from expected import answer, number, parse, uuid5, yes  # noqa: E402

SCORES = {"K1": "0.95", "K2+K3": "0.80", "K3": "0.60", "K5": "0.60", "K2": "0.50", "K4 conflict": "0.50"}
MOST_BEARERS = 50     # of a key that still tells people apart
BASES = ("co_self", "co_guar", "co_chil", "co_vita", "co_mand")


def date(text):
    return datetime.date.fromisoformat(text) if text else None


def newest_versions(submissions):
    """The last version of each record: the one that no other names as its former."""
    replaced = {found.group(1).decode() for found in (re.search(rb"deprecatedID>([^<]*)<", one[3]) for one in submissions) if found}
    return [one for one in submissions if one[2] not in replaced]


# ---- keys ----------------------------------------------------------------------------------------


def keys(root):
    """What is compared of an identity, before it is hashed."""
    if answer(root, "consent/basis") not in BASES or answer(root, "identity/needed") != "yes":
        return set()

    def get(path):
        return answer(root, path) or ""
    details = "identity/details/"
    names, sex, born = (fold(get(details + "surname")), fold(get(details + "given_names"))), get("person/sex"), get(details + "birth_date")
    year = int(born[:4]) if born else int(get("event/date")[:4]) - int(get("person/age")) if get("person/age") else None
    sure = bool(born) and get("person/age_basis") != "ab_est"
    years = [] if year is None else [year] if sure else [year - 1, year, year + 1]
    document = "" if get("person/id_doc") in ("id_none", "id_held", "id_unk") else get("person/id_doc")
    found = [("K1", *names, sex, born if get("person/age_basis") == "ab_doc" else ""), *(("K2", *names, sex, str(one)) for one in years),
             ("K3", *names, fold(get(details + "mother")), get("person/origin_province")),
             ("K4", document, code(get(details + "document_number"))), ("K5", get(details + "phone"))]
    return {key for key in found if all(key)}


def age_gap(a, b):
    return abs(b.age - a.age - int((b.day - a.day).days / 365.2425))


def contradict(a, b):
    ages = a.age is not None and b.age is not None and age_gap(a, b) > 4
    return ages or (a.sex != b.sex and "sx_unk" not in (a.sex, b.sex) and None not in (a.sex, b.sex))


def alike(a, b):
    return a.sex == b.sex != "sx_unk" and a.age is not None and b.age is not None and age_gap(a, b) <= 2


class Told:
    def __init__(self, submissions):
        self.organisations = {row["org_code"]: (row["org_type"], row["place_code"] or None, None, None)
                              for row in generate.table("organisation")}
        self.provinces = list(generate.provinces())
        self.victims, self.keys, self.refusals = {}, {}, []
        self.recordings, self.help, self.visits = (collections.defaultdict(list) for _ in range(3))      # by victim
        self.cases, self.suspects, self.reports, self.wishes = [], [], [], 0
        forms = collections.defaultdict(list)
        for one in newest_versions(submissions):
            forms[one[0]].append((one, parse(one[3])))
        for one, root in forms["bf_tip_ident"]:
            self.read_recording(one, root)
        for one, root in forms["bf_tip_suivi"]:
            self.read_visit(one, root)
        self.read_cases(forms["bf_tip_case"])
        self.read_months(forms["bf_tip_mois"])
        self.join()

    # ---- identifications and follow-ups --------------------------------------------------------------

    def victim(self, card):
        return self.victims.setdefault(card, population.Victim(uuid.UUID(uuid5("tip.victim", card)), card))

    def read_recording(self, one, root):
        form, record, _, xml, received = one
        rows = expected.rows_of({"form_id": form, "record": record, "sub_id": "", "xml": xml, "received_at": received})
        row, = rows["identification"]
        victim = self.victim(row["national_code"])
        r = population.Recording(
            uuid.UUID(row["identification_id"]), victim, row["national_code"], row["org_code"], date(row["event_date"]), received,
            row["place_code"], row["detection"], row["consent_basis"], row["share_stats"], row["first_record"], row["status"],
            row["status_org"], date(row["status_date"]), row["sex"], row["age"], row["minor_seen"], row["citizenship"],
            row["origin_country"], row["origin_place"], row["residence_status"], row["id_doc"], row["months_exploited"],
            row["age_at_start"], row["recruiter_relation"], row["recruit_channel"], [item["code"] for item in rows["identification_item"]],
            [(f["seq"], f["form"], f["realised"], f["main"], f["country"], f["place_code"]) for f in rows["exploitation"]],
            [(leg["seq"], leg["kind"], leg["country"], leg["place_code"]) for leg in rows["route_leg"]])
        if r.basis == "co_none":
            self.refusals.append(r)
            return
        self.recordings[victim].append(r)
        self.keys[r.id] = keys(root)
        for need in rows["assistance"]:
            self.help[victim].append(self.help_of(victim, need))

    @staticmethod
    def help_of(victim, row):
        return population.Help(victim, row["org_code"], row["service"], date(row["needed_on"]), row["referred_to"], row["referral_status"],
                               date(row["started_on"]), date(row["ended_on"]), row["result"], None)

    def read_visit(self, one, root):
        victim, org = self.victim(answer(root, "card/scan") or answer(root, "card/typed")), answer(root, "reporter/org_code")
        agrees = answer(root, "visit/agrees") == "yes"
        self.visits[victim].append((uuid.UUID(uuid5("tip.followup", one[0], one[1])), victim, date(answer(root, "visit/date")),
                                    answer(root, "closing/case_state") if agrees else "cl_refu"))
        for help_ in root.findall("help"):
            row = {name: answer(help_, path) for name, path in (
                ("service", "service"), ("needed_on", "needed_on"), ("referred_to", "referred_to"), ("referral_status", "state"),
                ("started_on", "started_on"), ("ended_on", "ended_on"), ("result", "result"))}
            self.help[victim].append(self.help_of(victim, {**row, "org_code": org}))
        self.wishes += len((answer(root, "withdrawal/wishes") or "").split())

    # ---- cases and months ----------------------------------------------------------------------------

    def read_cases(self, submissions):
        """Of a case, of each suspect and of each victim, the newest state; each of its own."""
        cases, suspects = {}, {}
        for _, root in sorted(submissions, key=lambda one: answer(one[1], "update/date")):
            code_ = answer(root, "case/code")
            cases[code_] = population.Case(
                uuid.UUID(uuid5("tip.criminal_case", code_)), code_, answer(root, "reporter/org_code"),
                date(answer(root, "case/opened_on")), answer(root, "case/court_province") or answer(root, "case/court_region"),
                yes(answer(root, "case/cross_border")))
            cases[code_].offence = answer(root, "case/offence")
            for one in root.findall("suspect"):
                suspects[code_, answer(one, "rank")] = one
        for (code_, rank), one in suspects.items():
            suspect = population.Suspect(
                uuid.UUID(uuid5("tip.suspect", code_, rank)), answer(one, "person/sex"), number(answer(one, "person/age")),
                answer(one, "person/citizenship"), yes(answer(one, "person/official")))
            self.suspects.append(suspect)
            cases[code_].charges.append(population.Charge(
                cases[code_], suspect, answer(one, "person/role"), answer(one, "proceedings/stage"),
                *(date(answer(one, f"proceedings/{name}_on")) for name in ("investigated", "arrested", "prosecuted", "decided", "final")),
                *(number(answer(one, "sentence/" + name)) for name in ("prison", "suspended", "fine")), answer(one, "proceedings/offence")))
        self.cases = list(cases.values())

    def read_months(self, submissions):
        """The report that arrived last stands for the month."""
        last = {}
        for one, root in sorted(submissions, key=lambda one: one[0][4]):
            key = answer(root, "reporter/org_code"), date(answer(root, "report/month")).replace(day=1)
            last[key] = (*key, number(answer(root, "report/seen")), number(answer(root, "report/forms_sent")))
        self.reports = list(last.values())

    # ---- who is one person -------------------------------------------------------------------------------

    def join(self):
        """People, each with the victim row that stays first, and the pairs that remain open."""
        matches = self.matches()
        joined = {pair for pair, kinds in matches.items() if "K4" in kinds}
        group = {victim: {victim} for victim in self.victims.values()}
        for a, b in joined:
            if group[a] is not group[b]:
                group[a] |= group[b]
                for one in group[b]:
                    group[one] = group[a]
        self.people = [self.person(members) for members in {id(g): g for g in group.values()}.values()
                       if any(self.recordings[one] for one in members)]
        self.pairs = [(a, b, *self.judged(kinds), "open") for (a, b), kinds in matches.items() if (a, b) not in joined]

    def person(self, members):
        recordings, help_, visits = ([each for one in members for each in of[one]] for of in (self.recordings, self.help, self.visits))
        first = min(recordings, key=lambda r: (r.day, r.reported, r.victim.id)).victim
        victims = [first, *(one for one in members if one is not first)]
        return population.Person(victims, None, None, None, recordings, help_, visits)

    def matches(self):
        """(victim, victim): the kinds of key that agree."""
        bearers = collections.defaultdict(list)
        for r in (r for rs in self.recordings.values() for r in rs):
            for one in self.keys[r.id]:
                bearers[one].append(r)
        found = collections.defaultdict(set)
        for one, recordings in bearers.items():
            if len(recordings) > MOST_BEARERS:
                continue
            for a, b in itertools.combinations(recordings, 2):
                if a.victim is not b.victim and (one[0] != "K5" or alike(a, b)):
                    found[tuple(sorted((a.victim, b.victim), key=lambda v: v.id))].add(one[0])
        for (a, b), kinds in found.items():
            if "K4" in kinds and any(contradict(x, y) for x in self.recordings[a] for y in self.recordings[b]):
                kinds.remove("K4")
                kinds.add("K4 conflict")
        return found

    @staticmethod
    def judged(kinds):
        """Score and reasons of a pair."""
        reasons = sorted(kinds | ({"K2+K3"} if {"K2", "K3"} <= kinds else set()), key=lambda kind: (-float(SCORES[kind]), kind))
        return SCORES[reasons[0]], ", ".join(reasons)

    def all_recordings(self):
        return [r for person in self.people for r in person.recordings] + self.refusals
