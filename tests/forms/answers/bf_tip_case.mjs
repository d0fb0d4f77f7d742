// A case with two victims and three suspects: one accused, one convicted, one hardly known.
const WRONG_CARD = "Ce code n'est pas juste, ou une autre victime du dossier le porte. "
    + "Relisez les douze chiffres de la carte.";
const ORDER = "Pas après la date de mise à jour, et dans l'ordre : "
    + "enquête, interpellation, poursuites, décision, décision définitive.";

const openCase = async (person) => {
    await person.cannotSend("Choisissez votre structure dans la liste.", "Choisissez l'infraction principale.");
    await person.pick("Votre structure", "Police nationale, Houet");
    await person.text("Votre code agent", "-14");
    await person.reads("Votre code agent",
        "De 2 à 32 lettres, chiffres, points, tirets ou barres, sans espace ni accent.");
    await person.text("Votre code agent", "PN-014");
    await person.noMessage("Votre code agent");
    await person.date("Date de mise à jour", "2099-02-10");
    await person.reads("Date de mise à jour",
        "Cette date est dans l'avenir. Corrigez-la, ou réglez la date du téléphone.");
    await person.date("Date de mise à jour", "2026-02-10");
    await person.noMessage("Date de mise à jour");
    await person.text("Code du dossier national (unité-année-numéro)", "POL-HOU-2026-0777");
    await person.reads("Code du dossier national (unité-année-numéro)",
        "Code de l'unité, année et numéro séparés par des tirets, en majuscules, "
        + "sans zéro devant le numéro : POL-HOU-2026-42.");
    await person.text("Code du dossier national (unité-année-numéro)", "POL-HOU-2026-777");
    await person.noMessage("Code du dossier national (unité-année-numéro)");
    await person.date("Date d'ouverture", "2026-02-11");
    await person.reads("Date d'ouverture", "Pas après la date de mise à jour.");
    await person.date("Date d'ouverture", "2026-01-21");
    await person.noMessage("Date d'ouverture");
    await person.pick("Lieu des faits : pays", "Burkina Faso");
    await person.cannotSend("Choisissez la province des faits.");
    await person.pick("Lieu des faits : province", "Houet");
    await person.pick("Juridiction : région", "Guiriko (ex-Hauts-Bassins)");
    await person.pick("Juridiction : province", "Houet");
    await person.pick("Infraction principale", "Traite aggravée");
    await person.pick("Étape actuelle du dossier", "Renvoyé en jugement");
    await person.choose("Dossier transfrontalier ?", "Oui");
    await person.pick("Pays coopérants", "Côte d'Ivoire", "Mali");
};

const victims = async (person) => {
    const first = await person.add("Victime");
    await first.cannotSend("Scannez la carte de cette victime, ou tapez ses douze chiffres.");
    await first.text("Tapez le code de la carte", "331721242141");
    await first.choose("Témoin ?", "Oui");
    await first.choose("Partie civile ?", "Non");
    await first.choose("Bénéficie d'une mesure de protection ?", "Oui");
    const second = await person.add("Victime");
    await second.text("Tapez le code de la carte", "331721242141");
    await second.reads("Tapez le code de la carte", WRONG_CARD);
    await second.text("Tapez le code de la carte", "189961593860");
    await second.noMessage("Tapez le code de la carte");
    await second.text("Dommages alloués (FCFA)", -1);
    await second.reads("Dommages alloués (FCFA)", "De 0 à 999 999 999.");
    await second.text("Dommages alloués (FCFA)", 250000);
    await second.noMessage("Dommages alloués (FCFA)");
};

const accused = async (suspect) => {
    await suspect.cannotSend("Donnez à cette personne un numéro dans le dossier : il ne changera plus.",
        "Choisissez le rôle de cette personne.", "Choisissez l'étape pour cette personne.");
    await suspect.text("Numéro d'ordre dans le dossier", 1);
    await suspect.choose("Sexe", "Masculin");
    await suspect.text("Âge en années", 150);
    await suspect.reads("Âge en années", "De 0 à 110.");
    await suspect.text("Âge en années", 41);
    await suspect.pick("Nationalité", "Burkina Faso");
    await suspect.pick("Rôle", "Recruteur");
    await suspect.pick("Lien avec la victime", "Employeur");
    await suspect.choose("Agent public ?", "Non");
    await suspect.pick("Étape pour cette personne", "Poursuites engagées");
    await suspect.date("Début de l'enquête", "2026-01-21");
    await suspect.date("Interpellation", "2026-01-10");
    await suspect.reads("Interpellation", ORDER);
    await suspect.date("Interpellation", "2026-01-24");
    await suspect.noMessage("Interpellation");
    await suspect.date("Engagement des poursuites", "2026-01-30");
    await suspect.notAsked("Décision");
    await suspect.choose("Détenu à ce jour ?", "Oui");
    await suspect.choose("L'identité est-elle nécessaire au rapprochement national ?", "Oui");
    await suspect.text("Nom", "Zoundi");
    await suspect.text("Téléphone", "7000004");
    await suspect.reads("Téléphone", "Huit chiffres, sans espace ni +226, comme 70123456.");
    await suspect.text("Téléphone", "70000041");
    await suspect.noMessage("Téléphone");
    await suspect.text("Plaque du véhicule", "11 ZZ 0001");
};

const convicted = async (suspect) => {
    await suspect.text("Numéro d'ordre dans le dossier", 1);
    await suspect.reads("Numéro d'ordre dans le dossier", "De 1 à 999, et pas le numéro d'un autre mis en cause.");
    await suspect.text("Numéro d'ordre dans le dossier", 2);
    await suspect.pick("Rôle", "Hébergeur");
    await suspect.pick("Étape pour cette personne", "Condamné");
    await suspect.date("Début de l'enquête", "2026-01-21");
    await suspect.cannotSend("Une condamnation ou une relaxe a une date : donnez celle de la décision.");
    await suspect.date("Décision", "2026-02-11");
    await suspect.reads("Décision", ORDER);
    await suspect.date("Décision", "2026-02-05");
    await suspect.noMessage("Décision");
    await suspect.date("Décision définitive", "2026-02-04");
    await suspect.reads("Décision définitive", `${ORDER} Une décision frappée d'appel n'est pas définitive.`);
    await suspect.date("Décision définitive", "2026-02-09");
    await suspect.noMessage("Décision définitive");
    await suspect.pick("Infraction retenue", "Traite des personnes (CP 511-1 et suivants)");
    await suspect.text("Prison, en mois, sursis compris", 1201);
    await suspect.reads("Prison, en mois, sursis compris", "De 0 à 1200 mois.");
    await suspect.text("Prison, en mois, sursis compris", 36);
    await suspect.noMessage("Prison, en mois, sursis compris");
    await suspect.text("Dont sursis, en mois", 48);
    await suspect.reads("Dont sursis, en mois", "De 0 à la durée de la prison.");
    await suspect.cannotSend();
    await suspect.text("Dont sursis, en mois", 12);
    await suspect.noMessage("Dont sursis, en mois");
    await suspect.text("Amende (FCFA)", 500000);
};

const hardlyKnown = async (suspect) => {
    await suspect.text("Numéro d'ordre dans le dossier", 3);
    await suspect.pick("Rôle", "Transporteur");
    await suspect.pick("Étape pour cette personne", "Enquête ouverte");
};

export default async (person) => {
    await openCase(person);
    await victims(person);
    await accused(await person.add("Mis en cause"));
    await convicted(await person.add("Mis en cause"));
    await hardlyKnown(await person.add("Mis en cause"));
};
