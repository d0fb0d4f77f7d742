"""What every line of every figure must be, counted from a population's own objects, without SQL.

    facts = people(population)              the counted people
    lines(population, facts, today)         {view: [row as a dict]}

A Person already is one human being in one episode, so nothing here follows links, cards or merges.
"""
import collections
import csv
import datetime
import statistics
import types

import generate
import population as made

ORDER = {"vs_conf": 1, "vs_pres": 2, "vs_risk": 3}
NOT_GOVERNMENT = {"og_ngo", "og_io", "og_oth"}
FORCE, SOCIAL = {"og_police", "og_gend", "og_para"}, {"og_soc", "og_cent", "og_cvs", "og_adm", "og_health", "og_sch", "og_lab"}


def areas():
    """Place: (province, region, region of before July 2025)."""
    rows = {row["place_code"]: row for row in generate.table("place")}
    found = {"BF": (None, None, None)}
    for code, row in rows.items():
        if row["level"] == "province":
            found[code] = (code, row["parent"], row["parent_before_2025"] or row["parent"])
    for code, row in rows.items():
        if row["level"] == "region":
            former = {one[2] for one in found.values() if one[1] == code}
            found[code] = (None, code, former.pop() if len(former) == 1 else code)
    for commune, province in made.COMMUNES:
        found[commune] = found[province]
    return found


AREA = areas()
CODE = {row["code"]: row for row in generate.table("code")}
MAP = collections.defaultdict(list)
for _row in generate.table("code_map"):
    MAP[_row["code"], _row["standard"]].append((_row["field"], _row["value"]))
ISO2 = {row["iso3"]: row["iso2"] for row in generate.table("country")}


def area(place):
    return AREA[place] if place else (None, None, None)


def band(age, edges, last):
    """Label of the first (edge, label) that the age is below."""
    if age is None:
        return None
    return next((label for edge, label in edges if age < edge), last)


NATIONAL = ((5, "00-04"), (10, "05-09"), (15, "10-14"), (18, "15-17"), (25, "18-24"), (35, "25-34"), (50, "35-49"))
CTDC = ((9, "0--8"), (18, "9--17"), (21, "18--20"), (24, "21--23"), (27, "24--26"), (30, "27--29"), (39, "30--38"), (48, "39--47"))


# ---- people --------------------------------------------------------------------------------------


def countable(person):
    return [r for r in person.recordings
            if r.stats and r.basis != "co_none" and not (person.withdrawn and r.day <= person.withdrawn)]


def is_victim(said):
    """Somebody says victim; and somebody confirmed, or the last word is not no (at equal dates it is not)."""
    assessed = [r for r in said if r.status]
    if not any(r.status in ORDER for r in assessed):
        return False
    if any(r.status == "vs_conf" for r in assessed):
        return True
    latest = max((r.status_day, r.reported) for r in assessed)
    return any(r.status != "vs_not" for r in assessed if (r.status_day, r.reported) == latest)


def chosen(person, said):
    """The recording that a reviewer chose for the person who stays, else for one merged into it."""
    for victims in (person.victims[:1], person.victims[1:]):
        choices = [v.chosen for v in victims if v.chosen in said]
        if choices:
            return min(choices, key=lambda r: (ORDER.get(r.status, 9), r.day, r.reported, r.id))
    return None


def flow(speaking):
    countries = [f[4] for f in speaking.forms] + [leg[2] for leg in speaking.route] + [speaking.origin_country]
    if any(c and c != "BFA" for c in countries):
        return "cross-border"
    ends = [f[4] for f in speaking.forms] + [leg[2] for leg in speaking.route if leg[1] in ("exploitation", "destination")]
    return "internal" if "BFA" in ends else None


def palermo(speaking, child):
    has_act = any(i.startswith("ac_") and i != "ac_unk" for i in speaking.items)
    has_means = any(i.startswith("me_") and i not in ("me_none", "me_unk") for i in speaking.items)
    if not has_act or not any(f[1] != "ex_unk" for f in speaking.forms):
        return "incomplete"
    return "complete" if child or has_means else "means missing"


def ordered_forms(forms):
    return sorted(forms, key=lambda f: (not f[3], f[0]))


def was_given(one):
    return bool(one.started or one.result or one.state == "rf_done")


def fact(p, person):
    said = countable(person)
    if not is_victim(said):
        return None
    victim = [r for r in said if r.status in ORDER]
    first = min(victim, key=lambda r: (r.day, r.reported, r.id))
    assessed = min(victim, key=lambda r: (ORDER[r.status], r.status_day, r.reported, r.id))
    speaking = chosen(person, said) or min(said, key=lambda r: (ORDER.get(r.status, 9), r.day, r.reported, r.id))
    child = speaking.age < 18 if speaking.age is not None else speaking.minor_seen
    forms = ordered_forms(speaking.forms)
    main = forms[0] if forms else (None,) * 6
    kind = p.organisations[assessed.status_org][0]
    return types.SimpleNamespace(
        thing=person, speaking=speaking, victim_records=victim, person=person.victims[0].id, first_on=first.day, year=first.day.year,
        records=len(victim), actors=len({r.org for r in victim}), status=assessed.status, sex=speaking.sex, age=speaking.age, is_child=child,
        age_group={True: "child", False: "adult", None: None}[child], age_band=band(speaking.age, NATIONAL, "50+"),
        ctdc_age=band(speaking.age, CTDC, "48+"), citizenship=speaking.citizenship,
        national=None if speaking.citizenship is None else speaking.citizenship == "BFA", org_type=kind,
        by_government=kind not in NOT_GOVERNMENT, province=area(first.place)[0], region=area(first.place)[1],
        region_13=area(first.place)[2], detection=first.detection, form=main[1],
        tip_class=CODE[main[1]]["tip_class"] if main[1] else "UNK", sdg_class=int(CODE[main[1]]["sdg_class"]) if main[1] else 5,
        realised=any(f[2] for f in forms) if forms else None, exploitation_country=main[4], exploitation_place=main[5],
        origin_country=speaking.origin_country, origin_place=speaking.origin_place, flow=flow(speaking), palermo=palermo(speaking, child),
        referred=any(h.referred_to and h.state != "rf_none" for h in person.help), assisted=any(map(was_given, person.help)),
        speaking_record=speaking.id)


def people(p):
    return [one for one in (fact(p, person) for person in p.people) if one]


# ---- the international report ----------------------------------------------------------------------


VICTIM_LINES = {
    "V1": lambda f: f.status == "vs_conf", "V1.1": lambda f: f.status == "vs_conf" and f.tip_class == "SEX",
    "V1.2": lambda f: f.status == "vs_conf" and f.tip_class == "LAB",
    "V1.3": lambda f: f.status == "vs_conf" and f.tip_class in ("OTH", "UNK"), "V2": lambda f: f.status == "vs_pres",
    "V3": lambda f: f.status == "vs_conf" and f.by_government, "V4": lambda f: f.status == "vs_conf" and f.referred,
    "V5": lambda f: f.status == "vs_conf" and f.assisted}


def investigated_on(c):
    return min((d for d in (c.investigated, c.arrested) if d), default=None)


def is_convicted(c):
    return bool(c.decided and (c.stage == "sg_conv" or (c.stage == "sg_app" and (c.prison or c.fine))))


def is_firm(c):
    return (c.prison or 0) > (c.suspended or 0)


def suspect_people(p):
    """Root suspect: everything that any case says of that person."""
    found = collections.defaultdict(list)
    for case in p.cases:
        for charge in case.charges:
            found[charge.suspect.merged_into or charge.suspect].append(charge)
    return found


def suspect_lines(charges, within):
    lines = set()
    if any(within(investigated_on(c)) for c in charges):
        lines.add("P1")
    if any(within(c.prosecuted) for c in charges):
        lines.add("P2")
    verdicts = [c for c in charges if is_convicted(c) and within(c.decided)]
    if verdicts:
        lines.add("P3")
        if any(map(is_firm, verdicts)):
            lines.add("P3.1")
        elif any(c.prison for c in verdicts):
            lines.add("P3.2")
    if any((c.role == "sr_offi" or c.suspect.official or (c.suspect.merged_into and c.suspect.merged_into.official))
           and (within(investigated_on(c)) or within(c.prosecuted)) for c in charges):
        lines.add("P4")
    return lines


def tip_report(p, facts, first, last):
    def within(day):
        return day is not None and first <= day < last

    members = collections.defaultdict(list)                    # line: (sex, child, national)
    for f in facts:
        if within(f.first_on):
            for line, holds in VICTIM_LINES.items():
                if holds(f):
                    members[line].append((f.sex, f.is_child, f.national))
    for root, charges in suspect_people(p).items():
        for line in suspect_lines(charges, within):
            members[line].append((root.sex, None if root.age is None else root.age < 18,
                                  None if root.citizenship is None else root.citizenship == "BFA"))
    for line in (*VICTIM_LINES, "P1", "P2", "P3", "P3.1", "P3.2", "P4"):
        who = members[line]
        yield {"period_from": first, "period_to": last, "line": line, "total": len(who),
               "female": sum(sex == "sx_f" for sex, _, _ in who), "male": sum(sex == "sx_m" for sex, _, _ in who),
               "children": sum(child is True for _, child, _ in who), "adults": sum(child is False for _, child, _ in who),
               "nationals": sum(home is True for *_, home in who), "foreigners": sum(home is False for *_, home in who)}


def suspects(p):
    for root, charges in suspect_people(p).items():
        for c in charges:
            yield {"person": root.id, "case_id": c.case.id, "opened_on": c.case.opened, "court_place": c.case.court,
                   "cross_border": c.case.cross_border, "role": c.role, "stage": c.stage, "offence": c.offence or c.case.offence, "sex": root.sex,
                   "age": root.age, "citizenship": root.citizenship,
                   "official": bool(root.official or c.suspect.official or c.role == "sr_offi"), "investigated_on": investigated_on(c),
                   "arrested_on": c.arrested, "prosecuted_on": c.prosecuted, "decided_on": c.decided, "convicted": is_convicted(c),
                   "final_on": c.final, "prison": "firm" if is_firm(c) else "suspended" if c.prison else None}


# ---- tables of the country ---------------------------------------------------------------------------


def by_sex_and_age(who):
    """Columns of a table for (sex, is_child) of people."""
    who = list(who)
    children, adults = [sex for sex, child in who if child is True], [sex for sex, child in who if child is False]
    return {"girls": children.count("sx_f"), "boys": children.count("sx_m"), "children": len(children),
            "women": adults.count("sx_f"), "men": adults.count("sx_m"), "adults": len(adults), "total": len(who)}


def grouped(rows):
    groups = collections.defaultdict(list)
    for group, value in rows:
        groups[group].append(value)
    return groups.items()


def interceptions(facts):
    for (year, province, region, former, way), who in grouped(
            ((f.year, f.province, f.region, f.region_13, f.flow or "unknown"), (f.sex, f.is_child))
            for f in facts if f.detection in ("dt_road", "dt_bord")):
        yield {"year": year, "province": province, "region": region, "region_13": former, "flow": way, **by_sex_and_age(who)}


def region_series(facts):
    for (year, division, region, status), members in grouped(
            ((f.year, division, region, f.status), f) for f in facts for division, region in ((17, f.region), (13, f.region_13))):
        yield {"year": year, "division": division, "region": region, "status": status, "records": sum(f.records for f in members),
               **by_sex_and_age((f.sex, f.is_child) for f in members)}


def reinsertion(p, facts):
    placed, dropped = collections.defaultdict(set), collections.defaultdict(set)
    for f in facts:
        for one in f.thing.help:
            if one.service not in ("sv_voc", "sv_sch", "sv_agr") or not was_given(one):
                continue
            where = area(one.place or p.organisations[one.org][1])
            for division, region in ((17, where[1]), (13, where[2])):
                group = ((one.started or one.needed).year, division, region, one.service)
                placed[group].add(f.person)
                if one.result == "pr_drop":
                    dropped[group].add(f.person)
    about = {f.person: (f.sex, f.is_child) for f in facts}
    for outcome, groups in (("placed", placed), ("dropped", dropped)):
        for (year, division, region, service), who in groups.items():
            yield {"year": year, "division": division, "region": region, "service": service, "outcome": outcome,
                   **by_sex_and_age(about[one] for one in who)}


def sdg(facts, inhabitants):
    parts = {(year, sex, group): persons for year, sex, group, persons, _ in inhabitants}
    cells = collections.defaultdict(list)
    for f in facts:
        if f.status != "vs_risk":
            for sex in (f.sex or "sx_unk", "all"):
                for group in (f.age_group or "unknown", "all"):
                    for form in (str(f.sdg_class), "all"):
                        cells[f.year, sex, group, form].append(f.status)
    for (year, sex, group, form), statuses in cells.items():
        needed = [parts.get((year, s, g)) for s in (("sx_f", "sx_m") if sex == "all" else (sex,))
                  for g in (("child", "adult") if group == "all" else (group,))]
        population = None if None in needed else sum(needed)
        yield {"year": year, "sex": sex, "age_group": group, "form": form, "persons": len(statuses),
               "confirmed": statuses.count("vs_conf"), "population": population,
               "per_100000": None if population is None else rounded(len(statuses) * 100000, population, 3)}


def rounded(top, bottom, digits):
    """top / bottom, half away from zero, as a decimal text."""
    scaled = (2 * top * 10 ** digits + bottom) // (2 * bottom)
    return f"{scaled // 10 ** digits}.{scaled % 10 ** digits:0{digits}d}"


def corridor(facts):
    groups = collections.defaultdict(list)
    for f in facts:
        r = f.speaking
        starts = [leg for leg in r.route if leg[1] == "origin"]
        ends = [leg for leg in r.route if leg[1] in ("exploitation", "destination")]
        start, end = (starts[0][2:] if starts else (None, None)), (ends[-1][2:] if ends else (None, None))
        if r.origin_country:
            start = (r.origin_country, r.origin_place)
        if f.exploitation_country:
            end = (f.exploitation_country, f.exploitation_place)
        groups[f.year, start[0], *area(start[1])[1:], end[0], *area(end[1])[1:], f.form, f.sex, f.age_group].append(f)
    names = ("year", "origin_country", "origin_region", "origin_region_13", "destination_country", "destination_region",
             "destination_region_13", "form", "sex", "age_group")
    for group, members in groups.items():
        yield {**dict(zip(names, group)), "persons": len(members), "confirmed": sum(f.status == "vs_conf" for f in members),
               "realised": sum(f.realised is True for f in members)}


def next_month(month):
    return (month + datetime.timedelta(32)).replace(day=1)


def coverage(p, today):
    first, last = min(r[1] for r in p.reports), max(r[1] for r in p.reports)
    last = max(last, (today.replace(day=1) - datetime.timedelta(1)).replace(day=1))
    where = {org: area(about[1]) for org, about in p.organisations.items()}
    since = {row["place_code"]: row["valid_from"] for row in generate.table("place")}
    reports, received = collections.defaultdict(list), collections.Counter()
    for org, month, seen, sent in p.reports:
        reports[month, where[org]].append((seen, sent))
    for r in p.all_recordings():
        received[r.day.replace(day=1), where[r.org]] += 1
    month = first
    while month <= last:
        end = next_month(month)
        lines = {AREA[c] for c in p.provinces if not since[c] or since[c] < end.isoformat()}
        lines |= {one for one in where.values() if one[0] is None}
        lines |= {group[1] for group in (*reports, *received) if group[0] == month}
        for line in lines:
            known = [about for org, about in p.organisations.items() if where[org] == line
                     and (not about[2] or about[2] < end.isoformat()) and (not about[3] or about[3] >= month.isoformat())]
            said = reports.get((month, line), [])
            sent = [one[1] for one in said if one[1] is not None]
            yield {"month": month, "province": line[0], "region": line[1], "region_13": line[2], "actors_known": len(known),
                   "reports": len(said), "nil_reports": sum(one[0] == 0 for one in said),
                   "declared_seen": sum(one[0] for one in said) if said else None, "declared_sent": sum(sent) if sent else None,
                   "received": received[month, line]}
        month = end


def coverage_month(lines):
    for month, rows in grouped((row["month"], row) for row in lines if row["province"]):
        yield {"month": month, "provinces": len(rows), "provinces_reporting": sum(row["reports"] > 0 for row in rows),
               "reports": sum(row["reports"] for row in rows), "actors_known": sum(row["actors_known"] for row in rows)}


# ---- justice, links, answers ---------------------------------------------------------------------------


def median(days):
    days = [d.days for d in days]
    return statistics.median(days) if days else None


def justice_funnel(p):
    groups = collections.defaultdict(list)
    for case in p.cases:
        groups[case.opened.year, "all"].append(case)
        groups[case.opened.year, case.court or "unknown"].append(case)
    for (year, court), cases in groups.items():
        charges = [c for case in cases for c in case.charges]

        def count(holds):
            return sum(bool(holds(c)) for c in charges)

        yield {"year": year, "court": court, "opened": len(cases), "cross_border": sum(case.cross_border is True for case in cases),
               "suspects": len(charges), "investigated": count(investigated_on), "arrested": count(lambda c: c.arrested),
               "prosecuted": count(lambda c: c.prosecuted),
               "tried": count(lambda c: c.stage in ("sg_tri", "sg_acq", "sg_conv", "sg_app")), "convicted": count(is_convicted),
               "convicted_finally": count(lambda c: is_convicted(c) and c.final), "acquitted": count(lambda c: c.stage == "sg_acq"),
               "dismissed": count(lambda c: c.stage in ("sg_drop", "sg_nol")),
               "days_opened_to_prosecuted": median(c.prosecuted - c.case.opened for c in charges if c.prosecuted),
               "days_prosecuted_to_decided": median(c.decided - c.prosecuted for c in charges if c.prosecuted and c.decided),
               "days_opened_to_decided": median(c.decided - c.case.opened for c in charges if c.decided)}


def roots(p):
    return {v: person.victims[0] for person in p.people for v in person.victims}


def surplus(p, facts):
    """People who may be one that was counted earlier: each group but its first, by union and find.
    Somebody who is not counted may join two who are."""
    counted, root = {f.person: f for f in facts}, roots(p)
    parent = {v.id: v.id for v in root.values()}

    def find(one):
        while parent[one] != one:
            one = parent[one]
        return one

    for a, b, score, _, decision in p.pairs:
        a, b = root[a].id, root[b].id
        if decision == "open" and float(score) >= 0.5:
            parent[find(a)] = find(b)
    groups = collections.defaultdict(list)
    for one in counted:
        groups[find(one)].append(one)
    return {one for group in groups.values() for one in sorted(group, key=lambda one: (counted[one].year, one))[1:]}


def linkage(p, facts):
    twice = surplus(p, facts)
    for year, members in grouped((f.year, f) for f in facts):
        repeats = by_card = 0
        for f in members:
            cards = set()
            for r in sorted(f.victim_records, key=lambda r: (r.day, r.reported, r.id)):
                repeats += bool(cards)
                by_card += r.code in cards
                cards.add(r.code)
        yield {"year": year, "recordings": sum(f.records for f in members), "persons": len(members),
               "persons_at_least": sum(f.person not in twice for f in members), "repeat_recordings": repeats, "repeats_by_card": by_card,
               "card_percent": rounded(100 * by_card, repeats, 1) if repeats else None}


def linkage_pair(p):
    root = roots(p)
    for (score, reason, decision), pairs in grouped(((score, reason, decision), a) for a, b, score, reason, decision in p.pairs
                                                    if decision != "open" or root[a] is not root[b]):
        yield {"score": score, "reason": reason, "decision": decision, "pairs": len(pairs)}


def recording_count(p):
    def outcome(person, r):
        if r.basis == "co_none":
            return "refusal"
        return r.status or "unassessed" if r in countable(person) else "no_statistics"

    every = [(person, r) for person in p.people for r in person.recordings] + [(None, r) for r in p.refusals]
    for (year, kind, said), records in grouped(((r.day.year, p.organisations[r.org][0], outcome(person, r)), r) for person, r in every):
        yield {"year": year, "org_type": kind, "outcome": said, "recordings": len(records)}


def actor_overlap(p, facts):
    def lists(f):
        kinds = {p.organisations[r.org][0] for r in f.victim_records}
        return bool(kinds & FORCE), "og_just" in kinds, bool(kinds & SOCIAL), bool(kinds & {"og_ngo", "og_io"}), bool(kinds & {"og_dip", "og_oth"})

    for (year, pattern), members in grouped(((f.year, lists(f)), f) for f in facts):
        yield {"year": year, **dict(zip(("by_force", "by_justice", "by_social", "by_civil", "by_other"), pattern)), "persons": len(members)}


def answers(f):
    r = f.speaking
    every = [*r.items, *(form[1] for form in r.forms), r.sex, f.detection, r.relation, r.channel, r.residence, r.id_doc]
    return {code for code in every if code and not code.endswith("_unk")}


def answer_share(facts):
    having, answered = collections.Counter(), collections.Counter()
    for f in facts:
        if f.status != "vs_risk":
            having.update((f.year, code) for code in answers(f))
            answered.update((f.year, name) for name in {code[:2] for code in answers(f)})
    for (year, name), of in answered.items():
        for code, row in CODE.items():
            if row["list"] == name and not code.endswith("_unk"):
                yield {"year": year, "list": name, "code": code, "label_fr": row["label_fr"], "label_en": row["label_en"],
                       "persons": having[year, code], "answered": of, "percent": rounded(100 * having[year, code], of, 1)}


# ---- other standards -------------------------------------------------------------------------------------

CTDC_FIELDS = [field for field in dict.fromkeys(field for (_, standard), pairs in MAP.items() if standard == "CTDC-2024"
                                                for field, value in pairs if value == "1")]
HTCDS_FIELDS = ("prs_Gender", "prs_Deceased", "vic_TraffickingStatus", "vic_TraffickingStatusDecisionMakingOrg",
                "vic_MethodOfRecruitment", "vic_MethodsOfControl", "vic_TypeOfExploitation", "vic_ForcedLabourIndustry",
                "vic_TypeOfSexExploitation", "vic_RelationshipToTrafficker", "cas_Status", "spl_Type", "con_Consent")


def mapped(codes, standard):
    found = collections.defaultdict(set)
    for code in codes:
        for field, value in MAP.get((code, standard), ()) if code else ():
            found[field].add(value.strip())
    return found


def ctdc(facts):
    for f in facts:
        if f.status == "vs_risk":
            continue
        r = f.speaking
        found = mapped([*r.items, *(form[1] for form in r.forms), r.relation, r.id_doc], "CTDC-2024")
        suffered = ordered_forms(form for form in r.forms if form[2])
        yield {"codebook": "CTDC-2024-v2", "yearOfRegistration": f.year, "gender": {"sx_f": "Woman", "sx_m": "Man"}.get(f.sex),
               "ageBroad": f.ctdc_age, "citizenship": f.citizenship, "CountryOfExploitation": (suffered and suffered[0][4]) or "BFA",
               "traffickMonths": band(r.months, ((13, "0--12"), (25, "13--24")), "25+"),
               **{field: 1 if "1" in found[field] else None for field in CTDC_FIELDS}}


def htcds(facts):
    for f in facts:
        if f.status == "vs_risk":
            continue
        r, visits = f.speaking, sorted(f.thing.visits, key=lambda v: (v[2], v[0]))
        found = mapped([*r.items, *(form[1] for form in r.forms), *(h.service for h in f.thing.help if was_given(h)), r.sex or "sx_unk",
                        f.status, f.org_type, r.relation, r.channel, r.id_doc, visits[-1][3] if visits else None, r.basis], "HTCDS")
        yield {"standard": "HTCDS-2.0", "registered_in": f.year, "prs_Citizenship": ISO2.get(f.citizenship),
               "vic_LocationOfExploitation": ISO2.get(f.exploitation_country), "vic_AgeWhenTrafficked": r.age_at_start,
               **{field: ";".join(sorted(found[field])) or None for field in HTCDS_FIELDS}}


def lines(p, facts, inhabitants, today):
    covered = list(coverage(p, today))
    periods = [(datetime.date(y, m, 1), datetime.date(y + 1, m, 1)) for y in (2024, 2025, 2026) for m in (1, 4)]
    periods.append((datetime.date(2025, 3, 7), datetime.date(2025, 3, 8)))
    return {
        "victim_fact": [{k: v for k, v in vars(f).items() if k not in ("thing", "speaking", "victim_records")} for f in facts],
        "tip_report": [line for first, last in periods for line in tip_report(p, facts, first, last)],
        "suspect_fact": list(suspects(p)), "interceptions": list(interceptions(facts)), "region_series": list(region_series(facts)),
        "reinsertion": list(reinsertion(p, facts)), "sdg_16_2_2": list(sdg(facts, inhabitants)), "corridor": list(corridor(facts)),
        "coverage": covered, "coverage_month": list(coverage_month(covered)), "justice_funnel": list(justice_funnel(p)),
        "linkage": list(linkage(p, facts)), "linkage_pair": list(linkage_pair(p)), "recording_count": list(recording_count(p)),
        "actor_overlap": list(actor_overlap(p, facts)), "answer_share": list(answer_share(facts)), "ctdc_2024": list(ctdc(facts)),
        "htcds_2": list(htcds(facts))}


def write(path, columns, rows):
    """As COPY ... CSV reads it; a name that no column has is an error of the caller."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="raise")
        for row in rows:
            if set(row) != set(columns):
                raise KeyError(f"{path}: {sorted(set(row) ^ set(columns))}")
            writer.writerow(row)
