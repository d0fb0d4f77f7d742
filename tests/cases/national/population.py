"""A population whose truth is known: people, what was recorded of them, cases and monthly reports.

    population = Population(seed)          5,200 people recorded some 8,500 times; the same for a seed
    population.people[0].recordings        objects, from which truth.py counts without any SQL
    population_rows.script(population)     the script for psql that writes it into a database

A Person here is what the figures must find: one human being in one episode. Which victim rows,
cards and recordings belong to one is decided first and written into the tables afterwards, so that
the truth needs no linking. Everything that could make a count wrong occurs: several organisations
with contradicting assessments and answers, cards lost and people merged, new episodes on the same
card, refusals, people who refused or withdrew agreement to statistics, chosen recordings, erased
identities, ties of dates, unknown answers, places known as regions or communes only.
"""

import dataclasses
import datetime
import random
import uuid

import generate

FIRST, LAST = datetime.date(2024, 1, 3), datetime.date(2026, 10, 31)
MORNING = datetime.time(7, 30)
COMMUNES = (("BF-HOU-C1", "BF-HOU"), ("BF-GNA-C1", "BF-GNA"), ("BF-KAR-C1", "BF-KAR"))
# Organisations beside those that are shipped: a commune's, one without a place, one that closed.
ORGANISATIONS = (("ONG-C1", "og_ngo", "BF-GNA-C1", None, None), ("OIN-X", "og_io", None, None, None),
                 ("AUT-X", "og_oth", "BF-KAD", None, "2025-03-15"), ("SOC-X", "og_soc", "BF-DYA", "2025-08-01", None))
SILENT_MONTHS = {datetime.date(2024, 5, 1), datetime.date(2025, 9, 1)}


@dataclasses.dataclass(eq=False)
class Recording:
    id: uuid.UUID
    victim: "Victim"
    code: str
    org: str
    day: datetime.date
    reported: datetime.datetime
    place: str
    detection: str
    basis: str
    stats: bool
    first_record: bool = None
    status: str = None
    status_org: str = None
    status_day: datetime.date = None
    sex: str = None
    age: int = None
    minor_seen: bool = None
    citizenship: str = None
    origin_country: str = None
    origin_place: str = None
    residence: str = None
    id_doc: str = None
    months: int = None
    age_at_start: int = None
    relation: str = None
    channel: str = None
    items: list = dataclasses.field(default_factory=list)
    forms: list = dataclasses.field(default_factory=list)     # (seq, form, realised, main, country, place)
    route: list = dataclasses.field(default_factory=list)     # (seq, kind, country, place)


@dataclasses.dataclass(eq=False)
class Victim:
    id: uuid.UUID
    code: str = None
    merged_into: "Victim" = None
    chosen: Recording = None
    erased: bool = False


@dataclasses.dataclass(eq=False)
class Help:
    victim: Victim
    org: str
    service: str
    needed: datetime.date
    referred_to: str
    state: str
    started: datetime.date
    ended: datetime.date
    result: str
    place: str


@dataclasses.dataclass(eq=False)
class Person:
    victims: list                                             # the first one is the root
    sex: str
    age: int
    origin: str
    recordings: list = dataclasses.field(default_factory=list)
    help: list = dataclasses.field(default_factory=list)
    visits: list = dataclasses.field(default_factory=list)    # (id, victim, day, state)
    withdrawn: datetime.date = None                           # agreement to statistics, up to this day
    card: str = None                                          # of a new episode: the card of the one before,
    card_victim: Victim = None                                # and whose it is


@dataclasses.dataclass(eq=False)
class Charge:
    case: "Case"
    suspect: "Suspect"
    role: str
    stage: str
    investigated: datetime.date = None
    arrested: datetime.date = None
    prosecuted: datetime.date = None
    decided: datetime.date = None
    final: datetime.date = None
    prison: int = None
    suspended: int = None
    fine: int = None
    offence: str = None


@dataclasses.dataclass(eq=False)
class Suspect:
    id: uuid.UUID
    sex: str
    age: int
    citizenship: str
    official: bool
    merged_into: "Suspect" = None


@dataclasses.dataclass(eq=False)
class Case:
    id: uuid.UUID
    code: str
    org: str
    opened: datetime.date
    court: str
    cross_border: bool
    charges: list = dataclasses.field(default_factory=list)
    offence: str = "of_tip"


class Population:
    def __init__(self, seed, people=5200):
        self.random = random.Random(f"{seed} population")
        self.codes = {}                                       # list: its codes
        for row in generate.table("code"):
            self.codes.setdefault(row["list"], []).append(row["code"])
        self.provinces = list(generate.provinces())
        self.organisations = {row["org_code"]: (row["org_type"], row["place_code"] or None, None, None)
                              for row in generate.table("organisation")}
        for code, kind, place, since, until in ORGANISATIONS:
            self.organisations[code] = (kind, place, since, until)
        self.org_codes = sorted(self.organisations)
        # Some provinces see many people and most see few, as it is, so that cells of every size occur.
        self.weights = [60 if n % 9 == 0 else 9 if n % 3 == 0 else 2 for n in range(len(self.provinces))]
        self.people, self.refusals, self.pairs, self.episodes, self.stubs = [], [], [], [], []
        self.cases, self.suspects, self.reports = [], [], []
        while len(self.people) < people:
            self.add_person()
        for _ in range(180):
            self.refusals.append(self.refusal())
        for _ in range(40):                                   # follow-ups that came before their intake
            self.stubs.append(self.victim())
        self.pair_people()
        for n in range(420):
            self.add_case(n)
        self.report_months()

    # ---- chance -----------------------------------------------------------------------------

    def chance(self, p):
        return self.random.random() < p

    def maybe(self, p, value):
        return value if self.chance(p) else None

    def one(self, name):
        return self.random.choice(self.codes[name])

    def some(self, name, most):
        return self.random.sample(self.codes[name], self.random.randint(0, most))

    def day(self, first=FIRST, last=LAST):
        return first + datetime.timedelta(self.random.randint(0, max(0, (last - first).days)))

    def after(self, day, most):
        return day + datetime.timedelta(self.random.randint(0, most))

    def uuid(self):
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def country(self, home=0.5):
        return "BFA" if self.chance(home) else self.random.choice(("CIV", "MLI", "NER", "GHA", "NGA", "TGO", "BEN", "LBN"))

    def place(self):
        """Mostly a province; a region for the armed forms, a commune where that was agreed, the country alone."""
        chance = self.random.random()
        if chance < 0.01:
            return "BF"
        if chance < 0.04:
            return self.random.choice(sorted(set(generate.provinces().values())))
        if chance < 0.07:
            return self.random.choice(COMMUNES)[0]
        return self.random.choices(self.provinces, self.weights)[0]

    # ---- people -------------------------------------------------------------------------------

    def victim(self):
        card = generate.card_from(self.random.randint(10000, 99999), self.random.randint(10000, 99999))
        return Victim(self.uuid(), card)

    def add_person(self):
        victims = [self.victim() for _ in range(self.random.choices((1, 2, 3), (90, 8, 2))[0])]
        for absorbed in victims[1:]:
            absorbed.merged_into = victims[0]
        person = Person(victims, self.random.choices(("sx_f", "sx_m", "sx_unk", None), (48, 48, 3, 1))[0],
                        self.random.randint(2, 62), self.country(0.75))
        day = self.day()
        for _ in range(max(len(victims), self.random.choices((1, 2, 3, 4), (60, 25, 10, 5))[0])):
            person.recordings.append(self.recording(person, day))
            day = min(LAST, self.after(day, self.random.choice((0, 0, 20, 200))))
        self.people.append(person)
        self.help_person(person, min(r.day for r in person.recordings), LAST)
        self.choose(person)
        person.victims[0].erased = self.chance(0.03)
        person.withdrawn = self.maybe(0.02, self.after(day, 30))
        if len(victims) == 1 and self.chance(0.04) and person.recordings[-1].day < LAST - datetime.timedelta(90):
            self.add_episode(person)

    def recording(self, person, day):
        victim = self.random.choice(person.victims)
        card = victim.code or person.card
        org = self.random.choice(self.org_codes)
        r = Recording(self.uuid(), victim, card, org, day, datetime.datetime.combine(day, MORNING) + datetime.timedelta(
            days=self.random.choice((0, 0, 1, 40))), self.place(), self.one("dt"), None, not self.chance(0.06))
        r.first_record = self.maybe(0.95, not person.recordings)
        if self.chance(0.97):
            r.status = self.random.choices(("vs_conf", "vs_pres", "vs_risk", "vs_not"), (35, 35, 15, 15))[0]
            r.status_org = org if self.chance(0.8) else self.random.choice(self.org_codes)
            r.status_day = self.after(day, self.random.choice((0, 0, 60)))
        r.sex = person.sex if self.chance(0.97) else self.one("sx")
        if self.chance(0.9):
            r.age = max(0, person.age + self.random.choice((0, 0, 0, -1, 1, 2)))
        else:
            r.minor_seen = self.maybe(0.8, person.age < 18)
        child = r.age < 18 if r.age is not None else r.minor_seen
        r.basis = self.random.choice(("co_guar", "co_chil", "co_mand", "co_vita", "co_stat") + (() if child else ("co_self",)))
        r.citizenship = self.maybe(0.97, person.origin)
        r.origin_country = self.maybe(0.6, person.origin if self.chance(0.9) else self.country())
        r.origin_place = self.place() if r.origin_country == "BFA" and self.chance(0.8) else None
        r.residence, r.id_doc = self.maybe(0.7, self.one("rs")), self.maybe(0.7, self.one("id"))
        r.months, r.age_at_start = self.maybe(0.4, self.random.choice((0, 6, 12, 13, 24, 25, 60))), self.maybe(0.3, max(0, person.age - 1))
        r.relation, r.channel = self.maybe(0.6, self.one("rr")), self.maybe(0.6, self.one("rc"))
        self.tell(r)
        return r

    def tell(self, r):
        """What was done, by what means, for what, and along which way."""
        r.items = self.some("ac", 2) + self.some("me", 2) + self.some("ct", 3) + self.some("vu", 2)
        main = self.random.choice((0, 1, 1, 2))
        for n in range(self.random.choices((0, 1, 2, 3), (12, 60, 20, 8))[0]):
            country = self.maybe(0.7, self.country(0.6))
            r.forms.append((n + 1, self.one("ex"), self.chance(0.5), n + 1 == main, country,
                            self.place() if country == "BFA" and self.chance(0.7) else None))
        for n in range(self.random.choices((0, 1, 2, 4), (50, 15, 20, 15))[0]):
            country = self.maybe(0.9, self.country(0.7))
            kind = self.random.choice(("origin", "recruitment", "transit", "border", "found", "exploitation", "destination"))
            r.route.append((n + 1, kind, country, self.place() if country == "BFA" and self.chance(0.5) else None))

    def help_person(self, person, first, last):
        for _ in range(self.random.choices((0, 1, 2, 4), (45, 30, 15, 10))[0]):
            needed = self.day(first, last)
            started = self.maybe(0.4, self.after(needed, 40))
            person.help.append(Help(
                self.random.choice([v for v in person.victims if v.code] or [person.card_victim]), self.random.choice(self.org_codes),
                self.random.choice(("sv_voc", "sv_sch", "sv_agr", "sv_shel", "sv_med", "sv_psy", "sv_cash", "sv_fam")), needed,
                self.maybe(0.5, self.random.choice(self.org_codes)), self.maybe(0.7, self.one("rf")), started,
                self.after(started, 100) if started and self.chance(0.3) else None,
                self.maybe(0.3, self.one("pr")), self.maybe(0.3, self.place())))
        for _ in range(self.random.choice((0, 0, 0, 1, 2))):
            person.visits.append((self.uuid(), self.random.choice([v for v in person.victims if v.code] or [person.card_victim]),
                                  self.day(first, last), self.one("cl")))

    def choose(self, person):
        """A reviewer's choice for the person, or one made before two people were merged."""
        if self.chance(0.15):
            person.victims[0].chosen = self.random.choice(person.recordings)
        for absorbed in person.victims[1:]:
            own = [r for r in person.recordings if r.victim is absorbed]
            if own and self.chance(0.3):
                absorbed.chosen = self.random.choice(own)

    def add_episode(self, before):
        """The same card, some time after: another person to the figures, whose help is written on that card."""
        since = self.after(before.recordings[-1].day + datetime.timedelta(30), 30)
        again = Person([Victim(self.uuid())], before.sex, before.age, before.origin)
        again.card, again.card_victim = before.victims[0].code, before.victims[0]
        again.recordings.append(self.recording(again, since))
        if self.chance(0.4):
            again.recordings.append(self.recording(again, min(LAST, self.after(since, 20))))
        self.episodes.append((before, again))
        self.people.append(again)
        # Help and visits after that day go to the new episode, whatever the generator first meant.
        later = [one for one in before.help if one.needed >= since]
        before.help = [one for one in before.help if one.needed < since]
        again.help.extend(later)
        again.visits.extend(visit for visit in before.visits if visit[2] >= since)
        before.visits = [visit for visit in before.visits if visit[2] < since]
        self.help_person(again, since, LAST)
        if before.withdrawn and before.withdrawn >= since:
            before.withdrawn = None

    def refusal(self):
        day, victim = self.day(), self.victim()
        return Recording(self.uuid(), victim, victim.code, self.random.choice(self.org_codes), day,
                         datetime.datetime.combine(day, MORNING), self.place(), self.one("dt"), "co_none", False)

    def pair_people(self):
        """Pairs that may be one person; three in a row, so that a group is more than its pairs."""
        rules = (("0.50", "K2"), ("0.60", "K5"), ("0.80", "K2+K3"), ("0.95", "K1"), ("0.40", "test"))
        taken = set()
        for _ in range(260):
            group = self.random.sample(self.people, self.random.choice((2, 2, 3)))
            for a, b in zip(group, group[1:]):
                a, b = self.random.choice(a.victims), self.random.choice(b.victims)
                score, reason = self.random.choice(rules)
                decision = self.random.choices(("open", "different"), (3, 1))[0]
                if (a.id, b.id) not in taken and (b.id, a.id) not in taken:
                    taken.update({(a.id, b.id), (b.id, a.id)})
                    self.pairs.append((a, b, score, reason, decision))
        for person in self.people:
            if len(person.victims) > 1:
                a, b = person.victims[:2]
                # Some joins were decided on the pair; some pairs were left open and joined through others.
                self.pairs.append((a, b, "0.95", "K1", "same" if self.chance(0.7) else "open"))
        for before, again in self.episodes:
            self.pairs.append((before.victims[0], again.victims[0], "1.00", "card", "new_episode"))

    # ---- cases and reports ----------------------------------------------------------------------

    def add_case(self, n):
        org = self.random.choice([o for o in self.org_codes if self.organisations[o][0] in ("og_police", "og_gend", "og_just")])
        opened = self.day()
        case = Case(self.uuid(), f"{org}-{opened.year}-{n + 1}", org, opened,
                    self.maybe(0.85, self.random.choice(self.provinces[:9])), self.maybe(0.8, self.chance(0.3)), offence=self.one("of"))
        self.cases.append(case)
        for _ in range(self.random.choice((0, 1, 1, 2, 3, 4))):
            suspect = Suspect(self.uuid(), self.maybe(0.95, self.one("sx")), self.maybe(0.8, self.random.randint(15, 70)),
                              self.maybe(0.9, self.country(0.7)), self.maybe(0.8, self.chance(0.08)))
            roots = [s for s in self.suspects[-60:] if s.merged_into is None]
            if roots and self.chance(0.12):
                suspect.merged_into = self.random.choice(roots)
            self.suspects.append(suspect)
            case.charges.append(self.charge(case, suspect))
        if self.suspects and self.chance(0.1):                # the same row in another case
            known = self.random.choice(self.suspects)
            if all(c.suspect is not known for c in case.charges):
                case.charges.append(self.charge(case, known))

    def charge(self, case, suspect):
        c = Charge(case, suspect, self.one("sr"), self.one("sg"), offence=self.maybe(0.5, self.one("of")))
        day = case.opened
        for name, p in (("investigated", 0.8), ("arrested", 0.6), ("prosecuted", 0.6), ("decided", 0.6), ("final", 0.4)):
            day = self.after(day, 150)
            if self.chance(p) and (name != "final" or c.decided):
                setattr(c, name, day)
        if c.stage in ("sg_conv", "sg_acq") and not c.decided:
            c.decided = day
        if c.final and c.final < c.decided:
            c.final = None
        if c.stage not in ("sg_acq", "sg_nol", "sg_drop") and self.chance(0.7):
            c.prison = self.maybe(0.8, self.random.choice((0, 6, 12, 36, 60)))
            if c.prison:
                c.suspended = self.maybe(0.6, self.random.choice((0, c.prison, c.prison // 2)))
            c.fine = self.maybe(0.4, self.random.choice((0, 500000)))
        if c.stage not in ("sg_conv", "sg_app", "sg_ext", "sg_dead"):
            c.prison = c.suspended = c.fine = None
        if c.stage == "sg_app":
            c.final = None
        return c

    def report_months(self):
        """(organisation, month, seen, sent); a third of the organisations are silent, some months all are."""
        month = datetime.date(2024, 2, 1)
        while month < datetime.date(2026, 10, 1):
            for org in self.org_codes:
                if month not in SILENT_MONTHS and self.chance(0.5 if org[-1] < "N" else 0.08):
                    seen = self.random.choice((0, 0, 1, 3, 12))
                    self.reports.append((org, month, seen, self.maybe(0.7, self.random.randint(0, seen))))
            month = (month + datetime.timedelta(32)).replace(day=1)

    def all_recordings(self):
        return [r for person in self.people for r in person.recordings] + self.refusals
