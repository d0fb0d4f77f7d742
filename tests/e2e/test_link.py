"""relais link, on a real PostgreSQL with the national schema: what the person who decides sees,
and what becomes of each decision.
"""
import json
import re
import unittest
import uuid

import test_national_lives as lives
import test_national_rows as base
from test_national_rows import NAME, database, query, relais, values


def setUpModule():
    base.setUpModule()
    database.psql(NAME, "CREATE ROLE l_linker LOGIN IN ROLE relais_linker;"
                        "CREATE ROLE l_forward LOGIN IN ROLE relais_forwarder;")


class Linking(lives.Delivered):
    """Two recordings of the same names, of two cards."""

    def setUp(self):
        owner = base.conf.read_text()
        self.addCleanup(base.conf.write_text, owner)
        self.owner = owner
        self.cards = lives.fresh_card(), lives.fresh_card()
        forms = [re.sub(r"<made>\d+<", f"<made>{card}<", lives.sample("bf_tip_ident", "intercepted")) for card in self.cards]
        self.deliver_together(forms)
        self.victims = sorted(base.recording(lives.instance_of(xml))[0]["victim_id"] for xml in forms)
        self.key("K1", f"name {self.cards[0]}")
        self.login("l_linker")

    def login(self, name):
        base.conf.write_text(self.owner.replace("user=relais", f"user={name}"))

    def key(self, kind, text):
        names = "', '".join(self.victims)
        database.psql(NAME, "DELETE FROM link.match_key WHERE identification_id IN (SELECT identification_id FROM"
                            f" tip.identification WHERE victim_id IN ('{names}'));"
                            f"INSERT INTO link.match_key SELECT identification_id, '{kind}', 1, sha256('{text}')"
                            f" FROM tip.identification WHERE victim_id IN ('{names}');")

    def link(self, *arguments, code=0):
        done = relais("link", *arguments)
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout}\n{done.stderr}")
        return done

    def pairs(self, *arguments):
        return [pair for pair in json.loads(self.link("list", "--json", "--limit", "1000", *arguments).stdout)
                if [pair["a"]["victim"], pair["b"]["victim"]] == self.victims]

    def number(self):
        (pair,) = self.pairs()
        return str(pair["pair"])

    def people(self):
        return values("SELECT count(DISTINCT coalesce(merged_into, victim_id)) FROM tip.victim WHERE victim_id IN"
                      f" ('{self.victims[0]}', '{self.victims[1]}')")[0]

    def history(self):
        return [(row["action"], row["by_whom"], row["reason"]) for row in query(
            "SELECT action, by_whom, reason FROM link.history WHERE"
            f" '{self.victims[0]}' IN (victim_a, victim_b) ORDER BY history_id")]


class Seeing(Linking):
    def test_the_list_says_what_speaks_for_the_pair(self):
        (pair,) = self.pairs()
        self.assertEqual((pair["reason"], pair["score"], pair["decision"], pair["join"]), ("K1", "0.95", "open", 0))
        for side in (pair["a"], pair["b"]):
            self.assertEqual((side["place"][:3], side["recordings"]), ("BF-", 1))
            self.assertRegex(side["month"], r"^\d{4}-\d\d$")
        table = self.link("list", "--limit", "1000").stdout
        self.assertRegex(table, rf"\n *{pair['pair']} +0\.95 .* K1\n")

    def test_show_by_number_and_by_people_says_the_same_and_identifies_nobody(self):
        number = self.number()
        shown = self.link("show", number).stdout
        self.assertEqual(shown, self.link("show", *reversed(self.victims)).stdout)
        self.assertIn("same surname, given names, sex and date of birth", shown)
        self.assertEqual(len(re.findall(r"^[AB]  ", shown, re.M)), 2)
        row = query(f"SELECT agent_code, org_code, event_date FROM tip.identification WHERE victim_id = '{self.victims[0]}'")[0]
        for secret in (*self.cards, *row.values()):
            self.assertNotIn(secret, shown + json.dumps(self.pairs()))
        self.assertEqual(len(json.loads(self.link("show", number, "--json").stdout)["recordings"]), 2)

    def test_what_is_no_pair(self):
        self.link("show", "999999999", code=1)
        self.link("show", self.victims[0], str(uuid.uuid4()), code=1)

    def test_called_wrongly(self):
        number = self.number()
        for arguments in ((), ("list", "1"), ("lits",), ("show",), ("show", self.victims[0]), ("show", number, "--by", "x"),
                          ("decide", number, "--by", "x"), ("decide", number, "maybe", "--by", "x"), ("decide", number, "same"),
                          ("decide", number, "same", "--by", "x", "--json"), ("undo", number), ("list", "--all", "--open")):
            with self.subTest(arguments):
                self.link(*arguments, code=2)

    def test_a_login_that_may_not_link_sees_and_decides_nothing(self):
        self.login("l_forward")
        self.assertIn("may not link", self.link("list", code=1).stderr)
        self.link("decide", *self.victims, "same", "--by", "x", code=1)
        self.assertEqual(self.people(), 2)


class Deciding(Linking):
    def test_same_makes_one_person_and_undo_two_again(self):
        number = self.number()
        self.link("decide", number, "same", "--by", "K. Ouedraogo", "--reason", "fiches comparées")
        self.assertEqual((self.people(), self.pairs()), (1, []))
        (pair,) = self.pairs("--all")
        self.assertEqual((pair["decision"], pair["decided_by"], pair["join"] > 0), ("same", "K. Ouedraogo", True))
        self.assertEqual(len(json.loads(self.link("show", number, "--json").stdout)["recordings"]), 2)
        self.link("undo", number, "--by", "A. Traore", "--reason", "erreur")
        self.assertEqual((self.people(), len(self.pairs())), (2, 1))
        self.assertEqual(self.history(), [("same", "K. Ouedraogo", "fiches comparées"), ("open", "A. Traore", "erreur")])

    def test_different_and_new_episode_count_apart(self):
        for decision in ("different", "new_episode"):
            self.link("decide", *self.victims, decision, "--by", "K. Ouedraogo")
            self.assertEqual((self.people(), self.pairs()), (2, []))
            self.link("undo", *self.victims, "--by", "K. Ouedraogo")
            self.assertEqual(len(self.pairs()), 1)
        self.assertEqual([row[0] for row in self.history()], ["different", "open", "new_episode", "open"])

    def test_a_pair_that_nothing_proposed_can_only_be_the_same(self):
        self.key("K1", "x")
        database.psql(NAME, "DELETE FROM link.match_key WHERE hmac = sha256('x')")
        self.assertEqual(self.pairs(), [])
        self.link("decide", *self.victims, "different", "--by", "x", code=1)
        self.link("decide", *self.victims, "same", "--by", "K. Ouedraogo", "--reason", "même mère")
        self.assertEqual(self.people(), 1)
        self.link("undo", *self.victims, "--by", "K. Ouedraogo")
        self.assertEqual(self.people(), 2)
        self.link("undo", *self.victims, "--by", "K. Ouedraogo", code=1)

    def test_a_join_that_a_document_made_is_shown_and_taken_back_for_good(self):
        self.key("K4", f"CNIB {self.cards[0]}")
        self.assertEqual((self.people(), self.pairs()), (1, []))
        self.assertIn("joined", self.link("show", *self.victims).stdout)
        self.link("undo", *self.victims, "--by", "K. Ouedraogo")
        self.assertEqual(self.people(), 2)
        self.assertIn("K4", self.pairs()[0]["reason"])

    def test_a_name_that_cannot_decide(self):
        done = self.link("decide", self.number(), "same", "--by", "(relais)", code=1)
        self.assertIn("write the name of a person", done.stderr)
        self.assertEqual(self.people(), 2)

    def test_erasing_takes_the_words_with_it(self):
        self.link("decide", *self.victims, "same", "--by", "K. Ouedraogo", "--reason", "la fille de Fatou")
        base.conf.write_text(self.owner)
        done = relais("erase", "--card", self.cards[1], "--yes", "--reason", "demande de la personne")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.history(), [("same", "K. Ouedraogo", None)])
        self.assertEqual(self.people(), 1, "and who is one stays one")


if __name__ == "__main__":
    unittest.main()
