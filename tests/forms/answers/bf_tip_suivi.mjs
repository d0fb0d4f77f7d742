// A follow-up with two services: one given, one proposed, and an agreement that is withdrawn.
const WRONG_CARD = "Ce code n'est pas juste. Relisez les douze chiffres de la carte et corrigez.";
const ORDER = "Pas dans l'avenir, et dans l'ordre : demandé, commencé, terminé.";

const firstService = async (service) => {
    await service.cannotSend("Choisissez le service.", "Donnez la date de la demande.",
        "Dites avec qui la personne vit ; « Inconnu » est possible.", "Dites où en est le dossier de la personne.",
        "Choisissez au moins une chose que la personne veut.");
    await service.pick("Type de service", "Hébergement");
    await service.date("Demandé le", "2099-01-22");
    await service.reads("Demandé le", ORDER);
    await service.date("Demandé le", "2026-01-22");
    await service.noMessage("Demandé le");
    await service.pick("Référée à quelle structure ?", "Centre d'accueil et de transit, Houet");
    await service.pick("État du référencement", "Service rendu");
    await service.cannotSend("Un service rendu a un début : donnez sa date.");
    await service.date("Commencé le", "2026-01-20");
    await service.reads("Commencé le", ORDER);
    await service.date("Commencé le", "2026-01-22");
    await service.noMessage("Commencé le");
    await service.date("Terminé le", "2026-01-21");
    await service.reads("Terminé le", ORDER);
    await service.date("Terminé le", "2026-02-01");
    await service.noMessage("Terminé le");
    await service.choose("Évolution", "En cours");
    await service.reads("Évolution", "Un service terminé est achevé ou abandonné.");
    await service.choose("Évolution", "Achevé");
    await service.noMessage("Évolution");
};

const secondService = async (service) => {
    await service.pick("Type de service", "Soins de santé");
    await service.date("Demandé le", "2026-02-03");
    await service.pick("État du référencement", "Proposé");
    await service.notAsked("Commencé le");
};

export default async (person) => {
    await person.cannotSend("Choisissez votre structure dans la liste.", "Donnez la date de la visite.");
    await person.pick("Votre structure", "Action sociale, Houet");
    await person.text("Votre code agent", "A");
    await person.reads("Votre code agent",
        "De 2 à 32 lettres, chiffres, points, tirets ou barres, sans espace ni accent.");
    await person.text("Votre code agent", "AS-102");
    await person.noMessage("Votre code agent");
    await person.text("Tapez le code de la carte", "331721242199");
    await person.reads("Tapez le code de la carte", WRONG_CARD);
    await person.text("Tapez le code de la carte", "331721242141");
    await person.noMessage("Tapez le code de la carte");
    await person.date("Date de la visite", "2099-02-08");
    await person.reads("Date de la visite",
        "Cette date est dans l'avenir. Corrigez-la, ou réglez la date du téléphone.");
    await person.date("Date de la visite", "2026-02-08");
    await person.noMessage("Date de la visite");
    await person.choose("La personne accepte-t-elle ce suivi aujourd'hui ?", "Oui");
    await person.choose("La personne retire-t-elle un accord donné, ou demande-t-elle l'effacement ?", "Oui");
    await firstService(await person.add("Service"));
    await person.choose("Avec qui la personne vit-elle ?", "Un centre");
    await person.choose("Se sent-elle en sécurité ?", "Oui");
    await secondService(await person.add("Service"));
    await person.pick("Situation du dossier", "En suivi");
    await person.date("Prochaine visite", "2026-02-01");
    await person.reads("Prochaine visite", "Après la date de la visite.");
    await person.cannotSend();
    await person.date("Prochaine visite", "2026-03-08");
    await person.noMessage("Prochaine visite");
    await person.choose("Que veut-elle ?", "Ne plus partager avec la justice");
};
