//! What is worn, used and looked at.

use super::{Craft, good, size};

pub(super) const CERAMICS: Craft = Craft {
    code: "CERA",
    category: "artesania/ceramica",
    names: ["Cerámica", "Ceramics"],
    workshop: "Alfarería",
    told: "Torneado a mano y cocido en horno de leña.",
    vat_rate: 2_100,
    towns: &["Úbeda", "Bailén", "Andújar", "Arjonilla"],
    goods: &[
        good("Jarra", 2_450, 1_450),
        good("Plato hondo", 1_690, 780),
        good("Cuenco", 1_390, 620),
        good("Botijo", 2_890, 2_300),
        good("Lebrillo", 3_490, 2_900),
        good("Orza con tapa", 3_950, 3_100),
        good("Florero", 2_790, 1_700),
        good("Fuente", 2_990, 1_650),
        good("Candil", 1_490, 540),
    ],
    kinds: &[
        "en verde de Úbeda",
        "con calado",
        "en azul y blanco",
        "de barro rojo",
        "con grabado de granadas",
        "en blanco",
    ],
    sizes: &[],
};

pub(super) const ESPARTO: Craft = Craft {
    code: "ESPA",
    category: "artesania/esparto",
    names: ["Esparto", "Esparto grass"],
    workshop: "Espartería",
    told: "Esparto cogido en verano, cocido y trenzado a mano.",
    vat_rate: 2_100,
    towns: &["Jódar", "Cabra del Santo Cristo", "Huelma"],
    goods: &[
        good("Capazo", 3_290, 900),
        good("Cesta de paseo", 3_890, 720),
        good("Alpargatas", 4_200, 650),
        good("Esterilla", 2_690, 1_100),
        good("Panera", 1_890, 350),
        good("Lámpara de techo", 6_490, 1_350),
        good("Salvamanteles", 1_290, 260),
    ],
    kinds: &["de pleita", "con ribete de cuero", "de esparto crudo", "de esparto picado", "con cenefa verde"],
    sizes: &[],
};

pub(super) const LEATHER: Craft = Craft {
    code: "CUER",
    category: "artesania/cuero",
    names: ["Cuero", "Leather"],
    workshop: "Guarnicionería",
    told: "Piel de curtición vegetal, cortada y cosida a mano.",
    vat_rate: 2_100,
    towns: &["Jaén", "Linares", "Marmolejo"],
    goods: &[
        good("Cinturón", 3_900, 310),
        good("Bolso de mano", 9_800, 820),
        good("Cartera", 4_500, 190),
        good("Monedero", 2_400, 110),
        good("Zurrón", 8_700, 1_050),
        good("Mochila", 12_900, 1_400),
        good("Funda de gafas", 2_200, 120),
        good("Llavero", 950, 45),
    ],
    kinds: &[
        "de cuero repujado",
        "con costura a la vista",
        "en color avellana",
        "en color negro",
        "con hebilla de latón",
    ],
    sizes: &[],
};

pub(super) const TEXTILES: Craft = Craft {
    code: "TEXT",
    category: "artesania/textil",
    names: ["Textil", "Textiles"],
    workshop: "Telares",
    told: "Tejido en telar de madera con fibras naturales.",
    vat_rate: 2_100,
    towns: &["Alcalá la Real", "Segura de la Sierra", "La Carolina"],
    goods: &[
        good("Manta", 8_900, 1_900),
        good("Cojín", 3_200, 540),
        good("Bufanda", 3_900, 260),
        good("Chal", 5_400, 340),
        good("Mantel", 6_200, 980),
        good("Camino de mesa", 2_900, 310),
        good("Jarapa", 4_600, 1_500),
    ],
    kinds: &["de lana merina", "de lino", "de algodón", "con flecos", "con cenefa de olivo"],
    sizes: &[],
};

pub(super) const IRON: Craft = Craft {
    code: "FORJ",
    category: "artesania/forja",
    names: ["Forja", "Wrought iron"],
    workshop: "Forja",
    told: "Hierro batido en la fragua y acabado con cera.",
    vat_rate: 2_100,
    towns: &["Úbeda", "Torredelcampo"],
    goods: &[
        good("Farol", 9_900, 3_200),
        good("Candelabro", 5_900, 2_100),
        good("Perchero", 4_700, 1_800),
        good("Aldaba", 3_900, 1_200),
        good("Atizador", 3_400, 1_500),
        good("Soporte para macetas", 2_900, 1_300),
    ],
    kinds: &[
        "de hierro forjado",
        "con hojas de olivo",
        "con remate de espiral",
        "de estilo renacentista",
        "en negro mate",
    ],
    sizes: &[],
};

pub(super) const WOOD: Craft = Craft {
    code: "MADE",
    category: "artesania/madera",
    names: ["Madera", "Wood"],
    workshop: "Ebanistería",
    told: "Madera secada al aire y terminada con aceite de oliva.",
    vat_rate: 2_100,
    towns: &["Orcera", "Beas de Segura", "Quesada"],
    goods: &[
        good("Tabla de cortar", 2_900, 1_100),
        good("Mortero", 2_400, 900),
        good("Cuenco", 3_200, 700),
        good("Juego de cucharas", 1_900, 240),
        good("Salero", 1_400, 160),
        good("Bandeja", 3_600, 950),
        good("Taburete", 7_900, 3_900),
    ],
    kinds: &["de olivo", "de nogal", "de encina", "de pino de Segura", "de cerezo"],
    sizes: &[],
};

pub(super) const SOAP: Craft = Craft {
    code: "JABO",
    category: "cosmetica/jabones",
    names: ["Jabones", "Soap"],
    workshop: "Jabones",
    told: "Saponificado en frío con aceite de oliva virgen extra.",
    vat_rate: 2_100,
    towns: &["Villacarrillo", "Mengíbar"],
    goods: &[
        good("Jabón de aceite de oliva", 450, 120),
        good("Champú sólido", 690, 95),
        good("Crema de manos", 820, 130),
        good("Bálsamo labial", 390, 35),
        good("Aceite corporal", 1_150, 220),
    ],
    kinds: &["con romero", "con lavanda", "con miel", "con caléndula", "sin perfume", "con azahar"],
    sizes: &[size("una pieza", 100, 100), size("caja de tres", 275, 305)],
};

pub(super) const JEWELLERY: Craft = Craft {
    code: "JOYA",
    category: "artesania/joyeria",
    names: ["Joyería", "Jewellery"],
    workshop: "Orfebrería",
    told: "Pieza única, fundida y cincelada en el taller.",
    vat_rate: 2_100,
    towns: &["Linares"],
    goods: &[
        good("Pendientes", 3_900, 60),
        good("Colgante", 4_400, 55),
        good("Anillo", 4_900, 40),
        good("Pulsera", 5_900, 70),
        good("Broche", 3_600, 50),
    ],
    kinds: &["de plata", "con hoja de olivo", "de filigrana", "con ágata", "de plata oxidada"],
    sizes: &[],
};
