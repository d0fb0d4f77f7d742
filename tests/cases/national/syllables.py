"""Invented names: syllables put together by chance, with the accents that real ones have.

No list of persons stands behind them. That a name is also somebody's cannot be ruled out; that
it is meant can. There are some three hundred thousand surnames and three thousand given names,
so that two invented people hardly ever share both.
"""

OPENINGS = "Ba Bé Bou Da Dé Di Fo Ga Gno Gui Ka Ki Kou La Lo Ma Na Nou Ouar Pa Ra Sa Sé Si Ta Ti Wen Ya Yé Zo".split()
MIDDLES = "bi bou da di dra fou ga gni ka ko kou la lin lo man mi na nou ra ri san si so ta tin wa zi".split()
CLOSINGS = "ba dé ga go gré gué ko la lé ma nga ni ra ré ssa sso té wa".split()
GIRLS = "ata éné iatou ika ina issa élé ouma ya".split()
BOYS = "adé ama ané el idou im ouno ra ssé".split()
CONSONANTS = "B D F G K L M N R S T W Y Z".split()


def surname(rng):
    middles = "".join(rng.choice(MIDDLES) for _ in range(rng.choice((0, 1, 1, 2))))
    return rng.choice(OPENINGS) + middles + rng.choice(CLOSINGS)


def given_name(rng, is_girl):
    """One name, now and then two."""
    names = [rng.choice(CONSONANTS) + rng.choice("aeiou") + rng.choice(MIDDLES)[:2] + rng.choice(GIRLS if is_girl else BOYS)
             for _ in range(rng.choice((1, 1, 1, 2)))]
    return " ".join(names)
