//! What the interviewer says besides the guide's questions. These are the texts of the rendered clips, so that they are heard in the same
//! voice as the questions; where a language's clips are not compiled in, the synthesiser says them.

/// Phrases of one language.
#[derive(Debug)]
pub struct Phrases {
    /// Short, neutral acknowledgements.
    pub acks: &'static [&'static str],
    /// Follow-ups that fit any answer.
    pub probes: &'static [&'static str],
    /// Asks for the answer again.
    pub repeat: &'static str,
    /// Welcomes back whoever was away, before the last question.
    pub welcome_back: &'static str,
    /// Leads into a phase of this id.
    pub transitions: &'static [(&'static str, &'static str)],
    /// Leads into any phase.
    pub transition: &'static str,
}

/// Phrases of a language (BCP 47, region ignored); English where there are none.
#[must_use]
pub fn phrases(language: &str) -> &'static Phrases {
    match language.split('-').next().unwrap_or_default() {
        "es" => &SPANISH,
        "fr" => &FRENCH,
        "ja" => &JAPANESE,
        _ => &ENGLISH,
    }
}

/// All of them, for tests that compare them with the clips.
pub const ALL: [(&str, &Phrases); 4] = [
    ("en", &ENGLISH),
    ("es", &SPANISH),
    ("fr", &FRENCH),
    ("ja", &JAPANESE),
];

static ENGLISH: Phrases = Phrases {
    acks: &[
        "I see.",
        "Right.",
        "That makes sense.",
        "Understood, thank you.",
        "Okay.",
        "That's helpful to hear.",
    ],
    probes: &[
        "Could you tell me a bit more about that?",
        "Can you think of a recent example?",
        "What makes you say that?",
        "And how did that feel at the time?",
        "If you could change one thing about it, what would it be?",
    ],
    repeat: "I'm sorry, I did not catch that. Could you say it again?",
    welcome_back: "Welcome back. Your connection dropped for a moment, but nothing was lost. Let me repeat the last question.",
    transitions: &[
        (
            "exploration",
            "Thank you, that gives me a good picture. Now I'd like to talk about the tools themselves.",
        ),
        (
            "probing",
            "I'd like to go back to a few things you said earlier.",
        ),
        (
            "story",
            "Thank you. Now I'd like to hear how it all came about.",
        ),
        (
            "wrapup",
            "Thank you. We're coming to the end, with just a couple of questions left.",
        ),
    ],
    transition: "Understood, thank you.",
};

static SPANISH: Phrases = Phrases {
    acks: &["Entiendo, gracias."],
    probes: &[
        "¿Podría contarme un poco más sobre eso?",
        "¿Recuerda algún ejemplo reciente?",
    ],
    repeat: "Perdone, no le he oído bien. ¿Puede repetirlo?",
    welcome_back: "Me alegra que haya vuelto. Se cortó la conexión un momento, pero no se ha perdido nada. Le repito la última pregunta.",
    transitions: &[],
    transition: "Entiendo, gracias.",
};

static FRENCH: Phrases = Phrases {
    acks: &["Je vois, merci."],
    probes: &[
        "Pouvez-vous m'en dire un peu plus ?",
        "Avez-vous un exemple récent en tête ?",
    ],
    repeat: "Pardon, je n'ai pas bien entendu. Pouvez-vous répéter ?",
    welcome_back: "Bon retour parmi nous. La connexion a été coupée quelques secondes, mais rien n'est perdu. Je répète la dernière question.",
    transitions: &[],
    transition: "Je vois, merci.",
};

static JAPANESE: Phrases = Phrases {
    acks: &["なるほど、わかりました。"],
    probes: &[
        "もう少し詳しく教えていただけますか。",
        "最近の例はありますか。",
    ],
    repeat: "すみません、よく聞こえませんでした。もう一度お願いできますか。",
    welcome_back: "おかえりなさい。少しの間、接続が切れましたが、お話は残っています。もう一度、質問を繰り返します。",
    transitions: &[],
    transition: "なるほど、わかりました。",
};
