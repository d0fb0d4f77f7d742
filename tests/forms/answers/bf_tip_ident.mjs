// A woman who was found on the road: consent, a new card, her identity, two forms of
// exploitation, a journey, an assessment and a need.
const firstForm = async (exploitation) => {
    await exploitation.pick("Forme d'exploitation", "Prostitution d'autrui");
    await exploitation.cannotSend("Dites si cette forme a été subie ou était seulement prévue.");
    await exploitation.choose("Déjà subie ou seulement prévue ?", "Déjà subie");
    await exploitation.choose("Est-ce la forme principale ?", "Oui");
    await exploitation.pick("Dans quel pays ?", "Burkina Faso");
    await exploitation.pick("Dans quelle province ?", "Kadiogo");
};

const secondForm = async (exploitation) => {
    await exploitation.pick("Forme d'exploitation", "Travail domestique forcé");
    await exploitation.choose("Déjà subie ou seulement prévue ?", "Seulement prévue");
    await exploitation.choose("Est-ce la forme principale ?", "Oui");
    await exploitation.reads("Est-ce la forme principale ?", "Une autre forme est déjà la principale.");
    await exploitation.choose("Est-ce la forme principale ?", "Non");
    await exploitation.noMessage("Est-ce la forme principale ?");
    await exploitation.pick("Dans quel pays ?", "Côte d'Ivoire");
    await exploitation.notAsked("Dans quelle province ?");
};

const foundTogether = async (person) => {
    await person.text("Code du groupe (personnes trouvées ensemble)", "trois personnes");
    await person.reads("Code du groupe (personnes trouvées ensemble)",
        "Au plus 32 lettres, chiffres, points, tirets ou barres, sans espace ni accent.");
    await person.text("Nombre de personnes dans le groupe", 501);
    await person.reads("Nombre de personnes dans le groupe", "Entre 1 et 500.");
    await person.text("Code du groupe (personnes trouvées ensemble)", "");
    await person.notAsked("Nombre de personnes dans le groupe");
};

const identification = async (person) => {
    await person.cannotSend("Choisissez votre structure dans la liste.", "Dites comment la personne a été trouvée.");
    await person.pick("Votre structure", "Action sociale, Kadiogo");
    await person.text("Votre code agent", "Béa");
    await person.reads("Votre code agent",
        "De 2 à 32 lettres, chiffres, points, tirets ou barres, sans espace ni accent.");
    await person.text("Votre code agent", "AG-017");
    await person.noMessage("Votre code agent");
    await person.date("Date de l'identification", "2099-02-14");
    await person.reads("Date de l'identification",
        "Cette date est dans l'avenir. Corrigez-la, ou réglez la date du téléphone.");
    await person.date("Date de l'identification", "2026-02-14");
    await person.noMessage("Date de l'identification");
    await person.notAsked("Province");
    await person.pick("Lieu de l'identification : région", "Kadiogo (ex-Centre)");
    await person.choose("La personne a-t-elle déjà une carte de suivi ?", "Oui");
    await person.cannotSend("Choisissez la province de l'identification.",
        "Scannez la carte, ou tapez ses douze chiffres.");
    await person.pick("Province", "Kadiogo");
    await person.notAsked("Commune");
    await person.text("Tapez le code de la carte", "331721242199");
    await person.reads("Tapez le code de la carte",
        "Ce code n'est pas juste. Relisez les douze chiffres de la carte et corrigez.");
    await person.choose("Comment la personne a-t-elle été trouvée ?", "Interception sur la route (car, camion, moto)");
    await person.choose("La personne a-t-elle déjà une carte de suivi ?", "Non");
    await person.notAsked("Tapez le code de la carte");
    await foundTogether(person);
};

const consent = async (person) => {
    await person.pick("Langue de l'entretien", "Anglais");
    await person.choose("Consentement ou base légale", "Consentement de la personne adulte");
    await person.choose("Accord pour des statistiques anonymes ?", "Oui");
    await person.choose("Accord pour le partage avec un service d'aide ?", "Oui");
    await person.choose("Accord pour le partage avec la justice ?", "Non");
};

const whoSheIs = async (person) => {
    await person.cannotSend("Choisissez le sexe.", "Choisissez la nationalité.",
        "Sans âge, dites si la personne semble avoir moins de 18 ans.", "Donnez votre évaluation ; elle pourra changer.",
        "Dites si la personne est en danger immédiat.");
    await person.choose("Sexe", "Féminin");
    await person.choose("Semble avoir moins de 18 ans ? (en cas de doute : oui)", "Oui");
    await person.reads("Semble avoir moins de 18 ans ? (en cas de doute : oui)",
        "Ne va pas avec le consentement d'un adulte : revenez à la base légale.");
    await person.cannotSend();
    await person.text("Âge en années", 16);
    await person.reads("Consentement ou base légale",
        "La personne a, ou semble avoir, moins de 18 ans : elle ne peut pas consentir seule. Choisissez une autre base.");
    await person.reads("Âge en années",
        "De 0 à 110. Moins de 18 ans ne va pas avec le consentement d'un adulte : revenez à la base légale.");
    await person.text("Âge en années", 23);
    await person.noMessage("Consentement ou base légale");
    await person.noMessage("Âge en années");
    await person.choose("Origine de l'âge", "Déclaré");
    await person.pick("Nationalité", "Nigéria");
    await person.pick("Pays d'origine", "Nigéria");
    await person.notAsked("Province d'origine");
    await person.pick("Statut de résidence", "Migrant étranger");
    await person.pick("Pièce présentée", "Retenue par un tiers");
    await person.choose("A-t-elle reçu une offre d'emploi suspecte ?", "Oui");
};

const whatHerNameIs = async (person) => {
    await person.notAsked("Nom");
    await person.choose("Faut-il l'identité pour aider cette personne ?", "Oui");
    await person.text("Nom", "N'Guessan-Okafor");
    await person.text("Prénoms", "Béatrice Ngozi");
    await person.text("Téléphone", "+22670123456");
    await person.reads("Téléphone", "Huit chiffres, sans espace ni +226, comme 70123456.");
    await person.text("Téléphone", "70123456");
    await person.noMessage("Téléphone");
    await person.notAsked("Téléphone de la personne de confiance");
};

const whatHappened = async (person) => {
    await person.choose("Ce qui a été fait (acte)", "Recrutement", "Transport", "Inconnu");
    await person.reads("Ce qui a été fait (acte)", "« Inconnu » et « aucun » ne vont pas avec une autre réponse.");
    await person.choose("Ce qui a été fait (acte)", "Inconnu");
    await person.noMessage("Ce qui a été fait (acte)");
    await person.choose("Par quel moyen", "Tromperie (fausse promesse)", "Aucun moyen constaté");
    await person.reads("Par quel moyen", "« Inconnu » et « aucun » ne vont pas avec une autre réponse.");
    await person.choose("Par quel moyen", "Aucun moyen constaté");
    await person.noMessage("Par quel moyen");
    await person.choose("Votre évaluation", "Victime présumée");
    await person.reads("Votre évaluation",
        "Indiquez d'abord au moins une forme d'exploitation, subie ou prévue (« Inconnue » est possible).");
    await firstForm(await person.at("Forme d'exploitation", 1));
    await person.noMessage("Votre évaluation");
    await secondForm(await person.add("Forme d'exploitation"));
    await person.choose("Moyens de contrôle", "Servitude pour dettes", "Documents confisqués");
    await person.text("Durée de l'exploitation, en mois", 1201);
    await person.reads("Durée de l'exploitation, en mois", "De 0 à 1200 mois.");
    await person.text("Durée de l'exploitation, en mois", 7);
    await person.noMessage("Durée de l'exploitation, en mois");
    await person.text("Âge au début de l'exploitation", 30);
    await person.reads("Âge au début de l'exploitation", "De 0 à 110, et pas plus que l'âge actuel.");
    await person.cannotSend();
    await person.text("Âge au début de l'exploitation", 22);
    await person.pick("Lien avec le recruteur", "Intermédiaire, placeur, agence");
    await person.pick("Canal de recrutement", "Réseau social, messagerie");
};

const journey = async (person) => {
    const border = await person.add("Étape du trajet");
    await border.cannotSend("Dites quelle étape du trajet c'est.");
    await border.pick("Quelle étape ?", "Frontière");
    await border.pick("Pays", "Bénin");
    await border.pick("Moyen de transport", "Car, minibus");
    await border.date("Mois", "2026-01-19");
    await person.choose("Vulnérabilités", "Dettes", "Sans pièce d'identité");
};

const help = async (person) => {
    await person.choose("La personne est-elle en danger immédiat ?", "Non");
    const need = await person.add("Besoin et référencement");
    await need.cannotSend("Choisissez le service dont la personne a besoin.");
    await need.pick("De quel service la personne a-t-elle besoin ?", "Hébergement");
    await need.pick("Référée à quelle structure ?", "Centre d'accueil et de transit, Kadiogo");
    await need.pick("État du référencement", "Accepté par la structure");
};

export default async (person) => {
    await identification(person);
    await consent(person);
    await whoSheIs(person);
    await whatHerNameIs(person);
    await whatHappened(person);
    await journey(person);
    await help(person);
    return { card: await person.reading("Écrivez ce code sur une carte neuve") };
};
