//! What is eaten.

use super::{Craft, good, size};

pub(super) const OLIVE_OIL: Craft = Craft {
    code: "AOVE",
    category: "alimentacion/aceite-de-oliva",
    names: ["Aceite de oliva", "Olive oil"],
    workshop: "Almazara",
    told: "Aceituna recogida del árbol y molida el mismo día.",
    vat_rate: 400,
    towns: &["Martos", "Torredonjimeno", "Baeza", "Mancha Real", "Cazorla"],
    goods: &[
        good("Aceite de oliva virgen extra picual", 650, 520),
        good("Aceite de oliva virgen extra royal", 790, 520),
        good("Aceite de oliva virgen extra arbequina", 690, 520),
        good("Aceite de oliva virgen extra manzanilla de Jaén", 720, 520),
        good("Aceite de oliva virgen extra de coupage", 670, 520),
    ],
    kinds: &[
        "de cosecha temprana",
        "de olivos centenarios",
        "de producción ecológica",
        "de extracción en frío",
        "sin filtrar",
        "de olivar de sierra",
    ],
    sizes: &[size("250 ml", 100, 100), size("500 ml", 165, 185), size("5 l", 980, 1_000)],
};

pub(super) const HONEY: Craft = Craft {
    code: "MIEL",
    category: "alimentacion/miel",
    names: ["Miel", "Honey"],
    workshop: "Colmenares",
    told: "Miel cruda, extraída en frío y envasada sin mezclas.",
    vat_rate: 1_000,
    towns: &["Siles", "Santa Elena", "Valdepeñas de Jaén"],
    goods: &[
        good("Miel de romero", 590, 420),
        good("Miel de tomillo", 640, 420),
        good("Miel de encina", 680, 420),
        good("Miel de espliego", 690, 420),
        good("Miel de mil flores", 520, 420),
        good("Miel de azahar", 580, 420),
    ],
    kinds: &["de la sierra", "con panal", "de cosecha limitada", "de colmenas trashumantes"],
    sizes: &[size("250 g", 100, 100), size("500 g", 175, 170), size("1 kg", 310, 310)],
};

pub(super) const CHEESE: Craft = Craft {
    code: "QUES",
    category: "alimentacion/queso",
    names: ["Queso", "Cheese"],
    workshop: "Quesería",
    told: "Leche de rebaños que pastan en la sierra, cuajada a diario.",
    vat_rate: 400,
    towns: &["Santiago de Calatrava", "Castillo de Locubín"],
    goods: &[
        good("Queso de cabra", 1_150, 620),
        good("Queso de oveja", 1_390, 650),
        good("Queso de cabra y oveja", 1_240, 640),
        good("Cuña de queso de cabra", 690, 330),
    ],
    kinds: &[
        "en aceite de oliva",
        "al romero",
        "al pimentón",
        "con tomillo",
        "de larga curación",
        "de corteza natural",
    ],
    sizes: &[],
};

pub(super) const SAUSAGES: Craft = Craft {
    code: "EMBU",
    category: "alimentacion/embutidos",
    names: ["Embutidos", "Sausages and hams"],
    workshop: "Embutidos",
    told: "Adobado con pimentón y secado al aire de la sierra.",
    vat_rate: 1_000,
    towns: &["Frailes", "Pozo Alcón", "Navas de San Juan"],
    goods: &[
        good("Chorizo", 560, 340),
        good("Salchichón", 580, 340),
        good("Morcilla de cebolla", 430, 360),
        good("Lomo de orza", 1_280, 720),
        good("Paté de campaña", 390, 190),
    ],
    kinds: &["de cerdo ibérico", "de ciervo", "de jabalí", "de receta antigua", "de matanza"],
    sizes: &[],
};

pub(super) const PRESERVES: Craft = Craft {
    code: "CONS",
    category: "alimentacion/conservas",
    names: ["Conservas", "Preserves"],
    workshop: "Conservas",
    told: "Hecho en ollas pequeñas con la cosecha de la huerta.",
    vat_rate: 1_000,
    towns: &["Peal de Becerro", "Torreperogil", "Villanueva del Arzobispo"],
    goods: &[
        good("Aceitunas cornezuelo", 420, 460),
        good("Pimientos asados", 480, 410),
        good("Paté de aceituna verde", 360, 210),
        good("Mermelada de higos", 450, 330),
        good("Espárragos trigueros", 590, 350),
        good("Alcachofas", 540, 400),
        good("Perdiz en escabeche", 1_490, 620),
    ],
    kinds: &[
        "de la abuela",
        "con aceite picual",
        "con tomillo y ajo",
        "de temporada",
        "con vinagre de Jerez",
    ],
    sizes: &[],
};

pub(super) const PASTRY: Craft = Craft {
    code: "DULC",
    category: "alimentacion/dulces",
    names: ["Dulces", "Pastry"],
    workshop: "Obrador",
    told: "Amasado a mano con aceite de oliva virgen extra.",
    vat_rate: 1_000,
    towns: &["Baeza", "Alcaudete", "Jaén"],
    goods: &[
        good("Ochíos", 480, 520),
        good("Virolos", 690, 480),
        good("Roscos de vino", 520, 510),
        good("Pestiños", 560, 500),
        good("Mantecados", 620, 620),
        good("Tortas de aceite", 450, 390),
    ],
    kinds: &[
        "con matalahúva",
        "de almendra",
        "con miel de romero",
        "de receta conventual",
        "en lata de regalo",
    ],
    sizes: &[],
};
