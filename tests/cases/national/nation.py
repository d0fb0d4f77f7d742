"""People, cases and organisations of ten months, and every submission that phones send of them.

    nation = Nation(seed, people)     the same for the same seed and number
    nation.sent                       Sent(day, form, instance, xml), in the order in which they arrive
    nation.counts()                   what must be in the national tables once all is delivered

What the submissions of four forms have to do with each other is what a training or a test of the
whole needs: a person is seen again, by others, with her card or with a new one because it was lost;
a form is corrected afterwards; follow-ups name a card, now and then before its identification
has arrived; a case goes on from police to court, and an older state comes in late; each organisation
reports the month in which it saw people, and some that saw nobody. Names are made of syllables.

The counts are counted from the answers, without any database.
"""

import collections
import dataclasses
import datetime
import random

import generate
import generate_others as others
from generate import codes, maybe

FIRST, LAST = generate.FIRST_DAY, generate.FIRST_DAY + datetime.timedelta(generate.DAYS)
PEOPLE_A_PROVINCE = 6     # below that the country is made smaller, so that places repeat


@dataclasses.dataclass
class Sent:
    arrival: tuple
    day: datetime.date
    form: str
    answers: dict = dataclasses.field(repr=False)
    xml: bytes = dataclasses.field(repr=False)
    record: str               # instance of the first version

    @property
    def instance(self):
        return self.answers["instance"]


@dataclasses.dataclass
class Person:
    known: dict
    cards: list = dataclasses.field(default_factory=list)
    seen: list = dataclasses.field(default_factory=list)      # (day, province, organisation, card) of each recording


class Nation:
    def __init__(self, seed, people):
        self.random = random.Random(f"{seed} nation {people}")
        self.seed, self.sent, self.people = seed, [], []
        every = list(generate.provinces())
        self.provinces = self.random.sample(every, max(2, min(len(every), people // PEOPLE_A_PROVINCE)))
        for n in range(people):
            self.add_person(n)
        for n in range((people + 1) // 2):
            self.add_case(n + 1)
        for person in self.people:
            self.follow_up(person)
        self.report_months()
        self.sent.sort(key=lambda one: one.arrival)

    # ---- chance --------------------------------------------------------------------------------

    def day(self, first=FIRST, last=LAST):
        return first + datetime.timedelta(self.random.randint(0, max(0, (last - first).days)))

    def one_of(self, province, kinds):
        """An organisation of one of these types in the province, or any there if there is none."""
        there = generate.organisations_of(province)
        return self.random.choice([org for org in there if generate.organisations()[org] in kinds] or there)

    def send(self, form, day, answers, record=None):
        """Most submissions arrive on their day; some phones have no network for weeks, and files lie longer."""
        longest = 90 if form == others.CASE else 40
        delay = self.random.choices((0, self.random.randint(1, 3), self.random.randint(4, longest)), (80, 13, 7))[0]
        arrival = (day + datetime.timedelta(delay), len(self.sent))
        # What the phone makes by itself is used up by composing.
        self.sent.append(Sent(arrival, day, form, answers, others.COMPOSE[form](answers), record or answers["instance"]))

    # ---- people ----------------------------------------------------------------------------------

    def add_person(self, n):
        person, day = Person(generate.invent_person(self.seed, n)), self.day()
        home = self.random.choice(self.provinces)
        self.people.append(person)
        for _ in range(self.random.choices((1, 2, 3, 4), (62, 25, 9, 4))[0]):
            self.record(person, day, home if self.random.random() < 0.7 else self.random.choice(self.provinces))
            day += datetime.timedelta(self.random.choice((0, 5, 30, 90)))
            if day > LAST:
                break

    def record(self, person, day, province):
        """One identification: of a new card, of the card she has, or of a new one since it was lost."""
        rng = self.random
        halves = generate.new_halves(rng)
        made = generate.card_from(halves["ca"], halves["cb"])
        has_card = bool(person.cards) and rng.random() < 0.85
        card = {"has_card": "yes", **others.scanned_or_typed(rng, person.cards[-1])} if has_card else {"has_card": "no"}
        answers = generate.invent_answers(rng, self.as_told(person), card, halves, province, day)
        self.send(generate.FORM, day, answers)
        code = person.cards[-1] if has_card else made
        if answers["consent"]["basis"] != "co_none":
            if not has_card:
                person.cards.append(made)
            person.seen.append((day, province, answers["reporter"]["org_code"], code))
            if rng.random() < 0.03:
                self.correct(answers, day)

    def as_told(self, person):
        """What is told differs a little from time to time: an age, the accents of a name."""
        known, rng = person.known, self.random
        if not person.seen or rng.random() < 0.6:
            return known
        told = {**known, "person": dict(known["person"]), "details": dict(known["details"])}
        if told["person"]["age"] and told["person"]["age"] not in (17, 18):    # nobody grows up by a slip
            told["person"]["age"] += rng.choice((-1, 0, 1)) if told["person"]["age"] not in (16, 19) else 0
        told["details"]["surname"] = told["details"]["surname"].translate(str.maketrans("éè", "ee"))
        return told

    def correct(self, answers, day):
        """The same record again, edited on the phone: a new instance that names the one before."""
        rng = self.random
        edited = {**answers, "instance": f"uuid:{generate.new_uuid(rng)}", "deprecated": answers["instance"],
                  "rids": iter(lambda: generate.new_uuid(rng), None),
                  "assessment": {**answers["assessment"], "status": rng.choice(("vs_pres", "vs_conf"))}}
        self.send(generate.FORM, day, edited, answers["instance"])

    # ---- cases, follow-ups, months ------------------------------------------------------------------

    def add_case(self, n):
        rng = self.random
        together = [person for person in rng.sample(self.people, min(4, len(self.people))) if person.seen][: rng.choice((0, 1, 1, 2, 3))]
        province = together[0].seen[0][1] if together else rng.choice(self.provinces)
        opened = self.day(max([FIRST, *(person.seen[0][0] for person in together)]))
        unit = self.one_of(province, {"og_police", "og_gend", "og_para"})
        case = others.Proceedings(rng, f"{unit}-{opened.year}-{n}", opened, province, [person.cards[0] for person in together])
        day, org = opened, unit
        for _ in range(rng.choice((1, 2, 2, 3))):
            self.send(others.CASE, day, case.answers(day, org))
            day += datetime.timedelta(rng.randint(15, 70))
            org = rng.choice((unit, self.one_of(province, {"og_just"})))
            if day > LAST:
                break

    def follow_up(self, person):
        rng = self.random
        if not person.seen:
            return
        asked_on = [seen[0] for seen in person.seen[:1]]
        day, province, _, card = rng.choice(person.seen)
        for _ in range(rng.choices((0, 1, 2, 3), (45, 30, 15, 10))[0]):
            day += datetime.timedelta(rng.randint(0, 40))
            if day > LAST:
                break
            org = self.one_of(province, {"og_soc", "og_cent", "og_ngo"})
            self.send(others.VISIT, day, others.invent_visit(rng, card, day, org, province, asked_on))
            asked_on.append(day)

    def report_months(self):
        """Three months in four are reported by who saw somebody, one in three by who did not; some twice."""
        rng, seen = self.random, collections.Counter()
        for person in self.people:
            seen.update((org, day.replace(day=1)) for day, _, org, _ in person.seen)
        month = FIRST.replace(day=1)
        while month < LAST.replace(day=1):
            after = (month + datetime.timedelta(32)).replace(day=1)
            for province in self.provinces:
                for org in generate.organisations_of(province):
                    number = seen[org, month]
                    if rng.random() < (0.75 if number else 0.33 / len(generate.organisations_of(province))):
                        for _ in range(2 if rng.random() < 0.02 else 1):
                            self.send(others.MONTH, after, others.invent_month(rng, org, month, number, number))
            month = after

    # ---- what must come of it --------------------------------------------------------------------------

    def newest_versions(self, form):
        """The last version of each record, with its answers."""
        last = {}
        for one in sorted((one for one in self.sent if one.form == form), key=lambda one: one.answers.get("deprecated") is not None):
            last[one.record] = one
        return list(last.values())

    def counts(self):
        idents = [one.answers for one in self.newest_versions(generate.FORM)]
        cases = [one.answers for one in self.newest_versions(others.CASE)]
        visits = [one.answers for one in self.newest_versions(others.VISIT)]
        months = {(a["reporter"]["org_code"], a["report"]["month"]): a["report"] for a in
                  (one.answers for one in self.newest_versions(others.MONTH))}
        told = [a for a in idents if a["consent"]["basis"] != "co_none"]
        agreed = [a for a in visits if a["visit"]["agrees"] == "yes"]
        return {
            "submissions": dict(collections.Counter(one.form for one in self.sent)),
            "replaced": sum("deprecated" in one.answers for one in self.sent),
            "recordings": len(idents), "refusals": len(idents) - len(told),
            "status": dict(collections.Counter(a["assessment"]["status"] for a in told)),
            "cards": len({card_of(a) for a in idents} | {card_of(a) for a in visits}
                         | {one.get("scan") or one.get("typed") for a in cases for one in a["victims"]}),
            "cases": len({a["case"]["code"] for a in cases}),
            "suspects": len({(a["case"]["code"], one["rank"]) for a in cases for one in a["suspects"]}),
            "case victims": len({(a["case"]["code"], one.get("scan") or one.get("typed")) for a in cases for one in a["victims"]}),
            "visits": len(visits), "refused visits": len(visits) - len(agreed),
            "services": sum(len(a["need"]) for a in told if may_help(a)) + sum(len(a["help"]) for a in agreed),
            "wishes": sum(len(a["withdrawal"]["wishes"].split()) for a in visits if a["withdrawal"].get("asked") == "yes"),
            "reports": len(months), "nil reports": sum(report["seen"] == 0 for report in months.values()),
            "declared seen": sum(report["seen"] for report in months.values())}


def card_of(answers):
    """The card code of an identification or a visit; of a refused interview, the one made for the form alone."""
    card, is_refused = answers["card"], answers.get("consent", {}).get("basis") == "co_none"
    given = None if is_refused else card.get("scan") or card.get("typed")
    return given or generate.card_from(answers["ca"], answers["cb"])


def may_help(answers):
    """Needs are asked with the agreement to share them, or by a service that helps by itself."""
    return (answers["consent"]["share_assist"] == "yes"
            or generate.organisations()[answers["reporter"]["org_code"]] in generate.OWN_SERVICE)
