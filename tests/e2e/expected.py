"""The national rows that the submissions in the ledger should have become.

Computed here from the XML alone, by what transforms/bf_tip_ident.xml promises and without any
of the project's code, and held against the tables of the schema tip.
"""
import collections
import uuid
import xml.etree.ElementTree as ElementTree

import lives

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "relais.bf")
TABLES = ("identification", "identification_item", "exploitation", "route_leg", "assistance")
# Of a table that other forms fill too, the rows of this one.
OWN = {"assistance": f"JOIN relais.submission s USING (sub_id) WHERE s.form_id = '{lives.FORM}'"}
ARMED = ("ex_armn", "ex_arms")


def uuid5(*parts):
    return str(uuid.uuid5(NAMESPACE, "".join(f"{len(part.encode())}:{part}" for part in parts)))


# ---- reading a submission -------------------------------------------------------------------


def parse(xml):
    """The submission's root with all namespaces removed."""
    root = ElementTree.fromstring(xml)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def answer(element, path):
    """The trimmed text of the first element of that path, None when blank or absent."""
    found = element.find(path)
    text = (found.text or "").strip() if found is not None else ""
    return text or None


def first(*values):
    return next((value for value in values if value is not None), None)


def number(text):
    return None if text is None else int(float(text))


def yes(text):
    return {None: None, "yes": True, "no": False}[text]


# ---- the rows of one submission ---------------------------------------------------------------


def card_code(root, is_refused):
    made = answer(root, "card/made")
    if is_refused:
        return made
    return first(answer(root, "card/scan"), answer(root, "card/typed"), made)


def common_columns(root, row, code, is_refused):
    return {
        "identification_id": uuid5("tip.identification", row["form_id"], row["record"]),
        "sub_id": row["sub_id"],
        "victim_id": uuid5("tip.victim", code),
        "national_code": code,
        "org_code": answer(root, "reporter/org_code"),
        "agent_code": answer(root, "reporter/agent_code"),
        "event_date": answer(root, "event/date"),
        "reported_at": row["received_at"],
        "place_code": answer(root, "event/province"),
        "detection": answer(root, "event/detection"),
        "consent_basis": answer(root, "consent/basis"),
        "share_assist": False, "share_justice": False, "share_stats": False,
        "is_child": None, "returned_home": None,
    } | ({name: None for name in PERSONAL} if is_refused else {})


PERSONAL = (
    "first_record", "group_code", "group_size", "status", "status_org", "status_date", "sex", "age",
    "age_basis", "minor_seen", "citizenship", "origin_country", "origin_place", "residence_status",
    "id_doc", "language", "months_exploited", "age_at_start", "recruiter_relation",
    "recruit_channel", "danger_now")


def personal_columns(root, is_armed):
    def get(path):
        return answer(root, path)
    assist = get("consent/share_assist") == "yes"
    age = number(get("person/age"))
    minor_seen = yes(get("person/minor_seen")) if age is None else None
    has_card, status = get("card/has_card"), get("assessment/status")
    return {
        "place_code": get("event/region") if is_armed else
                      first(get("event/commune") if assist else None, get("event/province")),
        "share_assist": assist,
        "share_justice": get("consent/share_justice") == "yes",
        "share_stats": get("consent/share_stats") == "yes"
                       or get("consent/basis") in ("co_mand", "co_vita", "co_stat"),
        "first_record": None if has_card is None else has_card == "no",
        "group_code": get("together/code"), "group_size": number(get("together/size")),
        "status": status,
        "status_org": get("reporter/org_code") if status else None,
        "status_date": get("event/date") if status else None,
        "sex": get("person/sex"), "age": age, "age_basis": get("person/age_basis"),
        "minor_seen": minor_seen, "is_child": minor_seen if age is None else age < 18,
        "citizenship": get("person/citizenship"), "origin_country": get("person/origin_country"),
        "origin_place": get("person/origin_region" if is_armed else "person/origin_province"),
        "residence_status": get("person/residence"), "id_doc": get("person/id_doc"),
        "language": get("consent/language"), "months_exploited": number(get("story/months")),
        "age_at_start": number(get("story/age_at_start")),
        "recruiter_relation": get("story/recruiter"), "recruit_channel": get("story/channel"),
        "danger_now": yes(get("assessment/danger")),
    }


def exploitation_rows(root, ident, is_armed):
    forms = [one for one in root.findall("story/exploitation") if answer(one, "form")]
    mains = [one for one in root.findall("story/exploitation") if answer(one, "main") == "yes"]
    for seq, one in enumerate(forms, 1):
        yield {
            "identification_id": ident, "seq": seq, "form": answer(one, "form"),
            "realised": answer(one, "realised") == "suffered",
            "main": len(forms) == 1 or (bool(mains) and one is mains[0]),
            "country": answer(one, "country"),
            "place_code": answer(one, "region" if is_armed else "province"),
        }


def route_rows(root, ident):
    for seq, one in enumerate(root.findall("story/route"), 1):
        month = answer(one, "month")
        yield {
            "identification_id": ident, "seq": seq, "kind": answer(one, "kind"),
            "country": answer(one, "country"), "place_code": answer(one, "province"),
            "transport": answer(one, "transport"), "month": month and month[:8] + "01",
        }


def need_rows(root, row, victim):
    seen_on = answer(root, "event/date")
    for seq, one in enumerate(root.findall("need"), 1):
        yield {
            "sub_id": row["sub_id"], "seq": seq, "victim_id": victim, "reported_at": row["received_at"],
            "org_code": answer(root, "reporter/org_code"),
            "service": answer(one, "service"), "needed_on": seen_on,
            "referred_to": answer(one, "referred_to"), "referral_status": answer(one, "state"),
            "started_on": seen_on if answer(one, "state") == "rf_done" else None, "ended_on": None,
            "result": None, "place_code": None,
        }


def rows_of(row):
    """Table -> list of rows, for one submission of the ledger."""
    root = parse(row["xml"])
    is_refused = answer(root, "consent/basis") == "co_none"
    code = card_code(root, is_refused)
    rows = collections.defaultdict(list)
    identification = common_columns(root, row, code, is_refused)
    ident = identification["identification_id"]
    rows["identification"].append(identification)
    rows["victim"].append({"victim_id": identification["victim_id"], "national_code": code})
    if is_refused:
        return rows
    forms = {answer(one, "form") for one in root.findall("story/exploitation")}
    is_armed = not forms.isdisjoint(ARMED)
    identification.update(personal_columns(root, is_armed))
    codes = set()
    for question in ("acts", "means", "control", "vulnerabilities"):
        codes |= set((answer(root, "story/" + question) or "").split())
    rows["identification_item"] = [{"identification_id": ident, "code": code} for code in codes]
    rows["exploitation"] = list(exploitation_rows(root, ident, is_armed))
    if not is_armed:
        rows["route_leg"] = list(route_rows(root, ident))
    rows["assistance"] = list(need_rows(root, row, identification["victim_id"]))
    return rows


# ---- holding them against the database --------------------------------------------------------


def ledger_rows(server):
    """The current version of each record, with the record's first instance found by following
    the answers' own deprecatedID."""
    rows = server.sql(
        "SELECT sub_id, form_id, instance_id, state, encode(xml, 'hex') AS xml, seal, received_at"
        f"  FROM relais.submission WHERE form_id = '{lives.FORM}' AND xml IS NOT NULL"
        "    AND state IN ('delivered', 'partial', 'superseded')")
    replaces = {}
    for row in rows:
        row["xml"] = server.plain_bytes(row["xml"], row["seal"])
        deprecated = answer(parse(row["xml"]), "meta/deprecatedID")
        if deprecated:
            replaces[row["instance_id"]] = deprecated
    for row in rows:
        row["record"] = row["instance_id"]
        while row["record"] in replaces:
            row["record"] = replaces[row["record"]]
    return [row for row in rows if row["state"] != "superseded"]


def differences(server, shown=20):
    """What the tables of tip have and should not, and the other way round."""
    wanted = collections.defaultdict(list)
    for row in ledger_rows(server):
        for table, rows in rows_of(row).items():
            wanted[table] += rows
    found = []
    for table in TABLES:
        found += compare(table, wanted[table], server.sql(f"SELECT t.* FROM tip.{table} t {OWN.get(table, '')}"))
    people = {row["victim_id"]: row["national_code"]
              for row in server.sql("SELECT victim_id, national_code FROM tip.victim")}
    found += [f"victim: {row} is missing" for row in wanted["victim"]
              if people.get(row["victim_id"]) != row["national_code"]]
    return found[:shown]


def compare(table, wanted, there):
    def frozen(row):
        return tuple(sorted((key, str(value)) for key, value in row.items()))
    want, have = collections.Counter(map(frozen, wanted)), collections.Counter(map(frozen, there))
    return ([f"{table}: missing {dict(row)}" for row in want - have]
            + [f"{table}: unexpected {dict(row)}" for row in have - want])


def secrets(server):
    """Texts that only an answer can have put into a log: card codes, names, numbers, phones."""
    found = set()
    for row in ledger_rows(server):
        root = parse(row["xml"])
        texts = [answer(root, "card/" + name) for name in ("scan", "typed", "made")]
        texts += [(one.text or "").strip() for one in root.iterfind("identity/details/*")]
        found |= {text for text in texts if text and len(text) >= 6}
    return sorted(found)
