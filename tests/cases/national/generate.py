"""Makes submissions of the national identification form as Collect writes them: realistic,
invented, and the same for the same seed.

    submission(seed, n)  the n-th submission of a seed: (instance_id, xml bytes)
    compose(answers)     one submission from given answers: what the form would not ask is left out

Every choice comes from transforms/codes, every card code has its check digits, one submission in
eight is a second look at an earlier person, with her card. That compose() follows the form's own
rules is proved by tests/e2e/test_national.py. The other forms are in generate_others.py, people
whose submissions of all forms belong together in nation.py, and the command line in training.py.
"""

import csv
import datetime
import functools
import pathlib
import random
import re
import uuid
from xml.sax.saxutils import escape

import syllables

ROOT = pathlib.Path(__file__).resolve().parents[3]
CODES = ROOT / "transforms" / "codes"
FORM = "bf_tip_ident"
ARMED = {"ex_armn", "ex_arms"}
OWN_SERVICE = {"og_soc", "og_cent", "og_ngo", "og_io", "og_health"}
WITH_IDENTITY = {"co_self", "co_guar", "co_chil", "co_vita", "co_mand"}
FIRST_DAY, DAYS = datetime.date(2026, 1, 5), 300


@functools.lru_cache
def version(form):
    """The version of a form that is published: what a phone with the newest form sends."""
    text = (ROOT / "xforms" / f"{form}.xml").read_text(encoding="utf-8")
    return re.search(rf'<data id="{form}" version="([^"]*)"', text).group(1)


VERSION = version(FORM)


@functools.lru_cache
def table(name):
    with open(CODES / f"ref.{name}.csv", encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


@functools.lru_cache
def codes(name):
    return tuple(row["code"] for row in table("code") if row["list"] == name)


@functools.lru_cache
def provinces():
    """Code of each province and of its region."""
    return {row["place_code"]: row["parent"] for row in table("place") if row["level"] == "province"}


@functools.lru_cache
def organisations():
    """Code of each organisation and its type."""
    return {row["org_code"]: row["org_type"] for row in table("organisation")}


@functools.lru_cache
def organisations_of(province):
    return tuple(o["org_code"] for o in table("organisation") if o["place_code"] == province)


@functools.lru_cache
def countries():
    return tuple(row["iso3"] for row in table("country") if row["short_list"] == "true")


def card_from(ca, cb):
    """The card code of two five-digit halves: ten digits, two check digits (MOD 97-10)."""
    digits = ca * 100_000 + cb
    return f"{digits}{98 - digits * 100 % 97:02d}"


# Writing ------------------------------------------------------------------------------------


def opening(form):
    return (
        "<?xml version='1.0' ?>"
        '<data xmlns:h="http://www.w3.org/1999/xhtml" xmlns:jr="http://openrosa.org/javarosa"'
        ' xmlns:odk="http://www.opendatakit.org/xforms" xmlns:orx="http://openrosa.org/xforms"'
        f' id="{form}" version="{version(form)}">')


def closing(a, name):
    """The metadata and the end. What was edited names its version before; Collect writes that
    element without a prefix."""
    edited = a.get("deprecated")
    return group("orx:meta", leaf("orx:instanceID", a["instance"]), leaf("orx:instanceName", name),
                 only(edited, leaf("deprecatedID", edited))) + "</data>"


def leaf(name, value):
    value = "" if value is None else str(value)
    return f"<{name}>{escape(value)}</{name}>" if value else f"<{name} />"


def group(name, *parts):
    return f"<{name}>{''.join(parts)}</{name}>"


def leaves(answers, *names):
    return "".join(leaf(name, answers.get(name)) for name in names)


def only(condition, text):
    return text if condition else ""


def compose_card(card, ca, cb):
    made = card_from(ca, cb)
    known = card.get("has_card") == "yes"
    return group(
        "card", leaf("has_card", card.get("has_card")),
        only(known, leaf("scan", card.get("scan"))),
        only(known and not card.get("scan"), leaf("typed", card.get("typed"))),
        leaf("ca", ca), leaf("cb", cb), leaf("cc", int(made[10:])), leaf("made", made),
        only(card.get("has_card") == "no", leaf("write", "")))


def compose_consent(consent):
    basis = consent["basis"]
    return group(
        "consent", leaf("read_out", ""), leaves(consent, "language", "basis"),
        only(basis in {"co_self", "co_guar", "co_chil"}, leaf("share_stats", consent.get("share_stats"))),
        only(basis != "co_none", leaves(consent, "share_assist", "share_justice")),
        only(basis == "co_none", leaf("stop", "")))


def compose_person(person):
    has_age = person.get("age") is not None
    origin = person.get("origin_province") if person.get("origin_country") == "BFA" else None
    return group(
        "person", leaves(person, "sex", "age"),
        only(has_age, leaf("age_basis", person.get("age_basis"))),
        only(not has_age, leaf("minor_seen", person.get("minor_seen"))),
        leaves(person, "citizenship", "origin_country"),
        only(person.get("origin_country") == "BFA", leaf("origin_province", origin)),
        only(origin, leaf("origin_region", provinces().get(origin))),
        leaves(person, "residence", "id_doc"))


def compose_identity(identity, id_doc):
    details = identity.get("details", {})
    return group("identity", leaf("needed", identity.get("needed")), only(
        identity.get("needed") == "yes",
        group("details",
              leaves(details, "surname", "given_names", "alias", "birth_date", "mother", "father"),
              only(id_doc not in (None, "", "id_none"), leaf("document_number", details.get("document_number"))),
              leaves(details, "phone", "contact_name"),
              only(details.get("contact_name"), leaf("contact_phone", details.get("contact_phone"))),
              leaf("quarter", details.get("quarter")))))


def compose_exploitation(one, rid):
    asked = bool(one.get("form"))
    inland = asked and one.get("country") == "BFA"
    return group(
        "exploitation", leaf("rid", rid), leaf("form", one.get("form")),
        only(asked, leaves(one, "realised", "main", "country")),
        only(inland, leaf("province", one.get("province"))),
        only(inland and one.get("province"), leaf("region", provinces().get(one.get("province")))))


def compose_leg(leg, rid):
    return group("route", leaf("rid", rid), leaves(leg, "kind", "country"),
                 only(leg.get("country") == "BFA", leaf("province", leg.get("province"))),
                 leaves(leg, "transport", "month"))


def compose_story(story, rids):
    forms = story.get("exploitation") or [{}]
    suffered = any(one.get("form") and one.get("realised") == "suffered" for one in forms)
    armed = any(one.get("form") in ARMED for one in forms)
    return group(
        "story", leaves(story, "acts", "means"),
        "".join(compose_exploitation(one, next(rids)) for one in forms),
        only(suffered, leaves(story, "control", "months", "age_at_start")),
        leaves(story, "recruiter", "channel"),
        only(not armed, "".join(compose_leg(leg, next(rids)) for leg in story.get("route", []))),
        leaf("vulnerabilities", story.get("vulnerabilities")))


def is_child(person):
    if person.get("age") is not None:
        return int(person["age"]) < 18
    return person.get("minor_seen") == "yes"


def compose_assessment(assessment, story, person):
    """What the form computes of the Palermo elements, beside what was answered."""
    has_means = story.get("means") not in (None, "", "me_none", "me_unk")
    purpose = any(one.get("form") not in (None, "", "ex_unk") for one in story.get("exploitation", []))
    return group(
        "assessment", leaf("status", assessment.get("status")),
        leaf("act", "no" if story.get("acts") in (None, "", "ac_unk") else "yes"),
        leaf("means", "yes" if has_means else "child" if is_child(person) else "no"),
        leaf("purpose", "yes" if purpose else "no"), leaf("elements", ""),
        leaf("danger", assessment.get("danger")),
        only(assessment.get("danger") == "yes", leaf("call_now", "")))


def compose_answers(a, rids):
    """Everything that is asked once the interview is not refused."""
    person, story, consent = a["person"], a["story"], a["consent"]
    serves = organisations().get(a["reporter"]["org_code"]) in OWN_SERVICE
    needs = a.get("need", []) if serves or consent.get("share_assist") == "yes" else []
    return "".join((
        compose_person(person),
        only(consent["basis"] in WITH_IDENTITY, compose_identity(a.get("identity", {}), person.get("id_doc"))),
        group("guide", leaves(a.get("guide", {}), "unpaid", "forced", "job_offer", "marriage", "held")),
        compose_story(story, rids),
        compose_assessment(a["assessment"], story, person),
        *(group("need", leaf("rid", next(rids)), leaves(need, "service", "referred_to", "state"))
          for need in needs)))


def compose(a):
    """The XML of one submission. `a` holds a dict for each group of the form, and `instance`,
    `ca`, `cb` and `rids` (an iterator) for what the phone makes by itself."""
    event, together = a["event"], a.get("together", {})
    place = event | {"region": provinces()[event["province"]]}
    xml = "".join((
        opening(FORM), leaf("safety", ""), group("reporter", leaves(a["reporter"], "org_code", "agent_code")),
        group("event", leaves(place, "date", "region", "province", "detection")),
        compose_card(a["card"], a["ca"], a["cb"]),
        group("together", leaf("code", together.get("code")),
              only(together.get("code"), leaf("size", together.get("size")))),
        compose_consent(a["consent"]),
        "" if a["consent"]["basis"] == "co_none" else compose_answers(a, a["rids"]),
        closing(a, f"{event['date']} {a['reporter']['org_code']}")))
    return xml.encode()


# Inventing ----------------------------------------------------------------------------------


QUARTERS = ("Sarfalao", "Bolomakoté", "Tanghin", "Dassasgho", "Karpala", "Belle-Ville", "Secteur 22", "Sya")
FORMS = {
    "child": "ex_l_gold ex_l_gold ex_b_qur ex_b_qur ex_l_dom ex_l_cott ex_l_coco ex_l_herd ex_l_vend ex_s_pros "
             "ex_marr ex_armn ex_l_crop ex_crim".split(),
    "adult": "ex_s_pros ex_s_pros ex_l_dom ex_l_dom ex_l_bar ex_l_gold ex_l_buil ex_slav ex_s_priv ex_l_oth "
             "ex_unk".split(),
}
ABROAD = "CIV CIV CIV MLI MLI GHA NER BEN TGO GNQ LBN SAU LBY NGA".split()


def some(rng, name, most, without=()):
    """A multiple answer: some choices of a list, in the list's order."""
    choices = [code for code in codes(name) if code not in without]
    picked = set(rng.sample(choices, rng.randint(1, most)))
    return " ".join(code for code in choices if code in picked)


def maybe(rng, chance, value):
    return value if rng.random() < chance else None


def invent_person(seed, n):
    """What does not change between two recordings of one person."""
    rng = random.Random(f"{seed}/person/{n}")
    child = rng.random() < 0.65
    citizenship = rng.choice(["BFA"] * 8 + ["NGA", "MLI", "NER", "GHA"])
    origin = rng.choice(tuple(provinces()))
    girl = rng.random() < (0.45 if child else 0.75)
    age = rng.randint(6, 17) if child else rng.randint(18, 45)
    return {
        "child": child, "ca": rng.randint(10_000, 99_999), "cb": rng.randint(10_000, 99_999),
        "person": {
            "sex": "sx_f" if girl else "sx_m", "age": maybe(rng, 0.9, age), "minor_seen": "yes" if child else "no",
            "age_basis": rng.choice(["ab_doc", "ab_said", "ab_said", "ab_est"]), "citizenship": citizenship,
            "origin_country": citizenship, "origin_province": origin,
            "residence": rng.choice(codes("rs")), "id_doc": rng.choice(["id_none", "id_none", "id_birth", "id_cnib"]),
        },
        "details": {
            "surname": syllables.surname(rng), "given_names": syllables.given_name(rng, girl),
            "mother": syllables.given_name(rng, True), "father": syllables.given_name(rng, False),
            "birth_date": maybe(rng, 0.4, datetime.date(2026 - age, rng.randint(1, 12), rng.randint(1, 28))),
            "document_number": f"B{rng.randint(1_000_000, 9_999_999)}", "phone": f"7{rng.randint(0, 9_999_999):07d}",
            "contact_name": syllables.given_name(rng, False), "contact_phone": f"6{rng.randint(0, 9_999_999):07d}",
            "quarter": rng.choice(QUARTERS),
        },
    }


def invent_exploitation(rng, known, province):
    kind = "child" if known["child"] else "adult"
    forms = list(dict.fromkeys(rng.choice(FORMS[kind]) for _ in range(rng.choice([1, 1, 2, 2, 3]))))
    intended = rng.random() < 0.4
    return [{
        "form": form, "realised": "intended" if intended else "suffered", "main": "yes" if i == 0 else "no",
        "country": rng.choice(ABROAD) if intended else "BFA", "province": province,
    } for i, form in enumerate(forms)]


def invent_story(rng, known, event, province):
    month = datetime.date.fromisoformat(event["date"]).replace(day=1)
    target = rng.choice(ABROAD)
    origin = known["person"]
    legs = [
        {"kind": "origin", "country": origin["origin_country"], "province": origin["origin_province"],
         "transport": rng.choice(codes("tr")), "month": month},
        {"kind": "recruitment", "country": "BFA", "province": province, "month": month},
        {"kind": "transit", "country": "BFA", "province": rng.choice(tuple(provinces())), "transport": "tr_bus"},
        {"kind": "border", "country": target, "transport": "tr_bus", "month": month},
        {"kind": "found", "country": "BFA", "province": province, "month": month},
        {"kind": "destination", "country": target},
    ]
    age = origin["age"]
    return {
        "acts": some(rng, "ac", 3, {"ac_unk"}),
        "means": maybe(rng, 0.8, some(rng, "me", 3, {"me_none", "me_unk"})),
        "exploitation": invent_exploitation(rng, known, province),
        "control": some(rng, "ct", 5, {"ct_unk"}), "months": maybe(rng, 0.7, rng.randint(1, 36)),
        "age_at_start": maybe(rng, 0.6, max(0, age - rng.randint(0, 2))) if age is not None else None,
        "recruiter": rng.choice(codes("rr")), "channel": rng.choice(codes("rc")),
        "route": legs[: rng.randint(1, 6)], "vulnerabilities": some(rng, "vu", 4),
    }


def invent_basis(rng, child):
    if rng.random() < 0.04:
        return "co_none"
    return rng.choice(["co_guar", "co_chil", "co_chil", "co_mand", "co_mand", "co_stat"] if child
                      else ["co_self"] * 5 + ["co_mand", "co_vita", "co_stat"])


def invent_card(rng, seed, n):
    """A new card, or that of an earlier person: (number of the person, answers)."""
    if n == 0 or rng.random() >= 1 / 8:
        return n, {"has_card": "no"}
    m = rng.randrange(n)
    earlier = invent_person(seed, m)
    code = card_from(earlier["ca"], earlier["cb"])
    return m, {"has_card": "yes", rng.choice(["scan", "typed"]): code}


def yes_no(rng):
    return rng.choice(["yes", "no"])


def new_uuid(rng):
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def invent_answers(rng, known, card, halves, province, day):
    """All answers of one recording of a known person: who asks, where, what is said."""
    event = {"date": str(day), "province": province, "detection": rng.choice(codes("dt"))}
    in_group = rng.random() < 0.3
    return {
        "instance": f"uuid:{new_uuid(rng)}", **halves, "rids": iter(lambda: new_uuid(rng), None),
        "reporter": {"org_code": rng.choice(organisations_of(province)), "agent_code": f"AG-{rng.randint(1, 400):03d}"},
        "event": event, "card": card,
        "together": {"code": f"{province[3:]}-{rng.randint(1, 99)}", "size": rng.randint(2, 60)} if in_group else {},
        "consent": {"language": rng.choice(codes("lg")), "basis": invent_basis(rng, known["child"]),
                    "share_stats": yes_no(rng), "share_assist": rng.choice(["yes", "yes", "no"]),
                    "share_justice": yes_no(rng)},
        "person": known["person"],
        "identity": {"needed": rng.choice(["yes", "yes", "no"]), "details": known["details"]},
        "guide": {name: yes_no(rng) for name in ("unpaid", "forced", "job_offer", "marriage", "held")},
        "story": invent_story(rng, known, event, province),
        "assessment": {"status": rng.choice(["vs_risk", "vs_pres", "vs_pres", "vs_conf", "vs_conf", "vs_not"]),
                       "danger": rng.choice(["yes", "no", "no", "no"])},
        "need": [{"service": rng.choice(codes("sv")), "referred_to": maybe(rng, 0.7, f"SOC-{province[3:]}"),
                  "state": rng.choice(codes("rf"))} for _ in range(rng.randint(1, 4))],
    }


def new_halves(rng):
    """The two halves of the card code that the phone makes for each form."""
    return {"ca": rng.randint(10_000, 99_999), "cb": rng.randint(10_000, 99_999)}


def invent(seed, n):
    """The answers of the n-th submission of a seed, as compose() takes them."""
    rng = random.Random(f"{seed}/recording/{n}")
    who, card = invent_card(rng, seed, n)
    known = invent_person(seed, who)
    day = FIRST_DAY + datetime.timedelta(rng.randrange(DAYS))
    halves = {name: known[name] for name in ("ca", "cb")} if who == n else new_halves(rng)
    return invent_answers(rng, known, card, halves, rng.choice(tuple(provinces())), day)


def submission(seed, n):
    """The n-th submission of a seed: (instance_id, xml bytes)."""
    answers = invent(seed, n)
    return answers["instance"], compose(answers)
