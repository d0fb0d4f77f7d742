// An organisation's month: the whole form.
export default async (person) => {
    await person.cannotSend("Choisissez votre structure dans la liste.",
        "Donnez le nombre de personnes vues ; 0 si personne.");
    await person.pick("Votre structure", "Action sociale, Houet");
    await person.text("Votre code agent", "Awa Kaboré");
    await person.reads("Votre code agent",
        "De 2 à 32 lettres, chiffres, points, tirets ou barres, sans espace ni accent.");
    await person.text("Votre code agent", "AS-102");
    await person.noMessage("Votre code agent");

    await person.date("Mois", "2099-01-15");
    await person.reads("Mois", "Ce mois n'a pas commencé. Corrigez-le, ou réglez la date du téléphone.");
    await person.date("Mois", "2026-02-11");
    await person.noMessage("Mois");
    await person.text("Nombre de personnes vues ce mois", 12000);
    await person.reads("Nombre de personnes vues ce mois", "De 0 à 9999.");
    await person.text("Nombre de personnes vues ce mois", 17);
    await person.text("Nombre de fiches envoyées ce mois", 10000);
    await person.reads("Nombre de fiches envoyées ce mois", "De 0 à 9999.");
    await person.cannotSend();
    await person.text("Nombre de fiches envoyées ce mois", 16);
    await person.noMessage("Nombre de fiches envoyées ce mois");
    await person.choose("Difficultés", "Réseau", "Aucune");
    await person.reads("Difficultés", "« Aucune » ne va pas avec une autre réponse.");
    await person.cannotSend();
    await person.choose("Difficultés", "Aucune", "Sécurité");
    await person.noMessage("Difficultés");
};
