"""Makes submissions of the other national forms: cases, follow-ups and monthly reports.

    compose_case(a), compose_visit(a), compose_month(a)     the XML of one submission from answers
    Proceedings(rng, ...)                                   a case as it goes on: its state on any day
    invent_visit(rng, ...)                                  one visit, with the services of a person

As in generate.py, what a form would not ask is left out, `instance` and `rids` are what the
phone makes by itself, and nothing here knows the database.
"""

import datetime
import itertools

import generate
import syllables
from generate import group, leaf, leaves, maybe, new_uuid, only, yes_no

CASE, VISIT, MONTH = "bf_tip_case", "bf_tip_suivi", "bf_tip_mois"
INVESTIGATORS = {"og_police", "og_gend", "og_para", "og_just"}
DECIDED = {"sg_nol", "sg_acq", "sg_conv", "sg_app", "sg_ext", "sg_dead"}
NOT_STARTED = {"rf_prop", "rf_refp", "rf_refs", "rf_none"}
STAYS_OPEN = {"cl_act", "cl_fol", "cl_back"}
WISHES = ("stats", "assist", "justice", "erasure")
DIFFICULTIES = ("network", "phone", "staff", "security")


def scanned_or_typed(rng, code):
    return {rng.choice(("scan", "typed")): code}


def compose_code(answers):
    """The two ways to give a card's code: what was scanned need not be typed."""
    return leaf("scan", answers.get("scan")) + only(not answers.get("scan"), leaf("typed", answers.get("typed")))


def reporter(a):
    return group("reporter", leaves(a["reporter"], "org_code", "agent_code"))


# Cases --------------------------------------------------------------------------------------


def compose_victim(one, rid):
    return group("victim", leaf("rid", rid), compose_code(one), leaf("code", one.get("scan") or one.get("typed")),
                 leaves(one, "witness", "civil_party", "protected", "award"))


def compose_suspect_identity(identity):
    return group("identity", leaf("needed", identity.get("needed")), only(
        identity.get("needed") == "yes",
        group("details", leaves(identity.get("details", {}), "surname", "given_names", "alias", "birth_date", "birth_place",
                                "document_number", "phone", "employer", "plate"))))


def compose_suspect(one, rid):
    now, sentence = one["proceedings"], one.get("sentence", {})
    decided = only(now["stage"] in DECIDED, leaf("decided_on", now.get("decided_on")))
    if decided and now.get("decided_on"):
        decided += leaf("final_on", now.get("final_on"))
    return group(
        "suspect", leaf("rid", rid), leaf("rank", one["rank"]),
        group("person", leaves(one["person"], "sex", "age", "citizenship", "role", "relation", "official", "armed")),
        group("proceedings", leaves(now, "stage", "investigated_on", "arrested_on", "prosecuted_on"), decided,
              leaves(now, "detained", "offence")),
        only(now["stage"] in ("sg_conv", "sg_app"),
             group("sentence", leaf("prison", sentence.get("prison")),
                   only(sentence.get("prison"), leaf("suspended", sentence.get("suspended"))), leaf("fine", sentence.get("fine")))),
        compose_suspect_identity(one["identity"]))


def compose_case(a):
    case = a["case"]
    return "".join((
        generate.opening(CASE), reporter(a), group("update", leaf("date", a["update"])),
        group("case", leaves(case, "code", "opened_on", "country"),
              only(case["country"] == "BFA", leaf("province", case.get("province"))), leaf("court_region", case.get("court_region")),
              only(case.get("court_region"), leaf("court_province", case.get("court_province"))),
              leaves(case, "offence", "stage", "cross_border"),
              only(case.get("cross_border") == "yes", leaf("foreign_help", case.get("foreign_help")))),
        *(compose_victim(one, next(a["rids"])) for one in a["victims"]),
        *(compose_suspect(one, next(a["rids"])) for one in a["suspects"]),
        generate.closing(a, f"{a['update']} {a['reporter']['org_code']}"))).encode()


# What may become of a suspect, likelier ways named more often. Each step is some weeks after the one before.
WAYS = (
    ("sg_inv",), ("sg_inv", "sg_arr"), ("sg_inv", "sg_drop"), ("sg_inv", "sg_arr", "sg_def", "sg_drop"),
    ("sg_inv", "sg_arr", "sg_def", "sg_pros", "sg_ins"), ("sg_inv", "sg_arr", "sg_pros", "sg_ins", "sg_nol"),
    ("sg_inv", "sg_arr", "sg_def", "sg_pros", "sg_tri"), ("sg_inv", "sg_pros", "sg_tri", "sg_acq"),
    ("sg_inv", "sg_arr", "sg_def", "sg_pros", "sg_tri", "sg_conv"), ("sg_inv", "sg_arr", "sg_def", "sg_pros", "sg_tri", "sg_conv"),
    ("sg_inv", "sg_arr", "sg_pros", "sg_ins", "sg_tri", "sg_conv"), ("sg_inv", "sg_arr", "sg_pros", "sg_tri", "sg_conv", "sg_app"))
DATED = {"sg_inv": "investigated_on", "sg_arr": "arrested_on", "sg_pros": "prosecuted_on", "sg_nol": "decided_on",
         "sg_acq": "decided_on", "sg_conv": "decided_on"}


class Suspect:
    """One person of a case: who it is, and what happens on which day."""

    def __init__(self, rng, rank, opened):
        is_woman, age = rng.random() < 0.3, rng.randint(17, 66)
        self.rank = rank
        self.person = {
            "sex": "sx_f" if is_woman else "sx_m", "age": maybe(rng, 0.8, age),
            "citizenship": maybe(rng, 0.9, rng.choice(["BFA"] * 6 + ["CIV", "MLI", "NGA"])), "role": rng.choice(generate.codes("sr")),
            "relation": maybe(rng, 0.6, rng.choice(generate.codes("rr"))), "official": maybe(rng, 0.8, "yes" if rng.random() < 0.06 else "no"),
            "armed": maybe(rng, 0.7, "yes" if rng.random() < 0.05 else "no")}
        self.steps, day = [], opened
        for stage in rng.choice(WAYS):
            self.steps.append((stage, day))
            day += datetime.timedelta(rng.randint(2, 45))
        self.final = day if self.steps[-1][0] in ("sg_conv", "sg_acq") and rng.random() < 0.6 else None
        prison = rng.choice((None, 0, 6, 12, 24, 36, 60, 120))
        self.sentence = {"prison": prison, "suspended": maybe(rng, 0.6, rng.choice((0, prison, prison // 2))) if prison else None,
                         "fine": maybe(rng, 0.5, rng.choice((0, 100_000, 500_000, 1_500_000)))}
        self.detained, self.offence = maybe(rng, 0.7, yes_no(rng)), maybe(rng, 0.7, rng.choice(generate.codes("of")))
        self.identity = {"needed": rng.choice(("yes", "no", None)), "details": {
            "surname": syllables.surname(rng), "given_names": syllables.given_name(rng, is_woman),
            "alias": maybe(rng, 0.3, syllables.given_name(rng, is_woman)),
            "birth_date": maybe(rng, 0.4, datetime.date(2026 - age, rng.randint(1, 12), rng.randint(1, 28))),
            "birth_place": rng.choice(generate.QUARTERS), "document_number": maybe(rng, 0.4, f"B{rng.randint(1_000_000, 9_999_999)}"),
            "phone": maybe(rng, 0.6, f"7{rng.randint(0, 9_999_999):07d}"), "employer": maybe(rng, 0.2, "Gare routière"),
            "plate": maybe(rng, 0.2, f"11 {syllables.surname(rng)[:2].upper()} {rng.randint(1000, 9999)}")}}

    def answers(self, day):
        """What a form says of the suspect on that day."""
        past = [(stage, on) for stage, on in self.steps if on <= day]
        now = {DATED[stage]: on for stage, on in past if stage in DATED}
        final = self.final if self.final and self.final <= day else None
        return {"rank": self.rank, "person": self.person, "sentence": self.sentence, "identity": self.identity,
                "proceedings": {"stage": past[-1][0], **now, "final_on": final, "detained": self.detained, "offence": self.offence}}


class Proceedings:
    """A criminal case: submission(day, org) is what that organisation sends of it on that day."""

    def __init__(self, rng, code, opened, province, cards):
        self.random, self.opened, self.cards = rng, opened, cards
        self.suspects = [Suspect(rng, rank, opened) for rank in range(1, rng.choice((0, 1, 1, 2, 2, 3, 4)) + 1)]
        is_abroad, court = rng.random() < 0.15, maybe(rng, 0.8, province)
        self.case = {
            "code": code, "opened_on": opened, "country": rng.choice(("CIV", "MLI", "GHA")) if is_abroad else "BFA", "province": province,
            "court_region": generate.provinces()[court] if court else None, "court_province": court,
            "offence": rng.choice(generate.codes("of")), "cross_border": "yes" if is_abroad else maybe(rng, 0.8, "no"),
            "foreign_help": "CIV GHA" if is_abroad else None}
        self.sent = 0

    def victims(self, day):
        rng = self.random
        for card in self.cards:
            yield {**scanned_or_typed(rng, card), "witness": maybe(rng, 0.8, yes_no(rng)), "civil_party": maybe(rng, 0.6, yes_no(rng)),
                   "protected": maybe(rng, 0.5, yes_no(rng)),
                   "award": maybe(rng, 0.2, rng.choice((0, 250_000, 1_000_000))) if day > self.opened else None}

    def answers(self, day, org):
        """A later state leaves out one of several suspects now and then: that one stays as he was."""
        rng = self.random
        suspects = [one.answers(day) for one in self.suspects]
        if self.sent and len(suspects) > 1 and rng.random() < 0.2:
            suspects.remove(rng.choice(suspects))
        stage = max((one["proceedings"]["stage"] for one in suspects), key=generate.codes("sg").index, default="sg_rep")
        self.sent += 1
        return {"instance": f"uuid:{new_uuid(rng)}", "rids": iter(lambda: new_uuid(rng), None), "update": day,
                "reporter": {"org_code": org, "agent_code": f"PJ-{rng.randint(1, 90):03d}"}, "case": {**self.case, "stage": stage},
                "victims": list(self.victims(day)), "suspects": suspects}


# Follow-ups ---------------------------------------------------------------------------------


def compose_help(one, rid):
    asked = one.get("state") not in NOT_STARTED
    return group("help", leaf("rid", rid), leaves(one, "service", "needed_on", "referred_to", "state"),
                 only(asked, leaf("started_on", one.get("started_on"))),
                 only(asked and one.get("started_on"), leaves(one, "ended_on", "result")))


def compose_visit(a):
    visit, ending, agrees = a["visit"], a.get("closing", {}), a["visit"]["agrees"] == "yes"
    asks = a["withdrawal"].get("asked") == "yes"
    return "".join((
        generate.opening(VISIT), reporter(a), group("card", compose_code(a["card"])),
        group("visit", leaves(visit, "date", "agrees"), only(not agrees, leaf("stop", "")), only(agrees, leaves(visit, "lives_with", "safe"))),
        *(compose_help(one, next(a["rids"])) for one in a.get("help", []) if agrees),
        only(agrees, group("closing", leaf("case_state", ending.get("case_state")),
                           only(ending.get("case_state") in STAYS_OPEN, leaf("next_visit", ending.get("next_visit"))))),
        group("withdrawal", leaf("asked", a["withdrawal"].get("asked")),
              only(asks, leaf("wishes", a["withdrawal"].get("wishes")) + leaf("promise", ""))),
        generate.closing(a, f"{visit['date']} {a['reporter']['org_code']}"))).encode()


def invent_help(rng, needed, day, province):
    """One service, asked for on one day, as it stands on another."""
    span = (day - needed).days
    state = maybe(rng, 0.85, rng.choice(generate.codes("rf")))
    started = needed + datetime.timedelta(rng.randint(0, span)) if state == "rf_done" or rng.random() < 0.5 else None
    ended = started + datetime.timedelta(rng.randint(0, (day - started).days)) if started and rng.random() < 0.3 else None
    return {"service": rng.choice(generate.codes("sv")), "needed_on": needed, "referred_to": maybe(rng, 0.6, f"SOC-{province[3:]}"),
            "state": state, "started_on": started, "ended_on": ended,
            "result": maybe(rng, 0.5, rng.choice(("pr_drop", "pr_done") if ended else ("pr_beg", "pr_cont", "pr_drop")))}


def invent_visit(rng, card, day, org, province, asked_on):
    """Answers of a visit; services were asked for on that day or on the days `asked_on` before it."""
    agrees = rng.random() < 0.94
    asks = rng.random() < 0.05
    state = rng.choice(generate.codes("cl"))
    return {
        "instance": f"uuid:{new_uuid(rng)}", "rids": iter(lambda: new_uuid(rng), None),
        "reporter": {"org_code": org, "agent_code": f"AS-{rng.randint(1, 200):03d}"}, "card": scanned_or_typed(rng, card),
        "visit": {"date": day, "agrees": "yes" if agrees else "no", "safe": maybe(rng, 0.8, yes_no(rng)),
                  "lives_with": rng.choice(("family", "family", "foster", "centre", "alone", "exploiter", "unknown"))},
        "help": [invent_help(rng, rng.choice([*asked_on, day]), day, province) for _ in range(rng.choice((0, 1, 1, 2, 3)))],
        "closing": {"case_state": state, "next_visit": maybe(rng, 0.7, day + datetime.timedelta(rng.randint(5, 60)))},
        "withdrawal": {"asked": "yes" if asks else maybe(rng, 0.8, "no"),
                       "wishes": " ".join(wish for wish in WISHES if rng.random() < 0.4) or "assist"}}


# Months -------------------------------------------------------------------------------------


def compose_month(a):
    report = a["report"]
    return "".join((
        generate.opening(MONTH), reporter(a), group("report", leaves(report, "month", "seen", "forms_sent", "difficulties")),
        generate.closing(a, f"{str(report['month'])[:7]} {a['reporter']['org_code']}"))).encode()


def invent_month(rng, org, month, seen, sent):
    some = " ".join(itertools.compress(DIFFICULTIES, (rng.random() < 0.2 for _ in DIFFICULTIES)))
    return {"instance": f"uuid:{new_uuid(rng)}", "reporter": {"org_code": org, "agent_code": f"RM-{rng.randint(1, 40):02d}"},
            "report": {"month": month, "seen": seen, "forms_sent": maybe(rng, 0.8, sent), "difficulties": some or maybe(rng, 0.5, "none")}}


COMPOSE = {generate.FORM: generate.compose, CASE: compose_case, VISIT: compose_visit, MONTH: compose_month}
