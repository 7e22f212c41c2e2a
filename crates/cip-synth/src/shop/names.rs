//! The shop's category tree and brands: names, weights and price levels after the head of REES46's October file.

/// A family of categories that share brands.
#[derive(Debug)]
pub(super) struct Family {
    /// Brands, the most common first.
    pub(super) brands: &'static [&'static str],
    /// The share of products that show no brand.
    pub(super) unbranded: f64,
}

/// A category that has a code.
#[derive(Debug)]
pub(super) struct Coded {
    pub(super) code: &'static str,
    /// Share of events, relative to the other categories with a code.
    pub(super) weight: u32,
    /// Median price.
    pub(super) price: f64,
    /// Index into [`FAMILIES`].
    pub(super) family: usize,
}

const PHONE: usize = 0;
const GADGET: usize = 1;
const AUDIO: usize = 2;
const COMPUTER: usize = 3;
const LARGE: usize = 4;
const SMALL: usize = 5;
const AUTO: usize = 6;
const WEAR: usize = 7;
const HOME: usize = 8;
const KIDS: usize = 9;
const TOOL: usize = 10;
const SPORT: usize = 11;

pub(super) const FAMILIES: [Family; 14] = [
    Family {
        brands: &["samsung", "apple", "xiaomi", "huawei", "oppo", "vivo", "honor", "nokia", "meizu", "sony"],
        unbranded: 0.0,
    },
    Family {
        brands: &[
            "apple", "casio", "samsung", "xiaomi", "garmin", "canon", "tissot", "orient", "huawei", "nikon",
            "texet", "elari",
        ],
        unbranded: 0.16,
    },
    Family {
        brands: &[
            "apple", "xiaomi", "sony", "jbl", "samsung", "pioneer", "pride", "alpine", "yamaha", "hertz",
            "sven", "philips",
        ],
        unbranded: 0.11,
    },
    Family {
        brands: &[
            "acer", "lenovo", "hp", "asus", "apple", "pulser", "dell", "msi", "gigabyte", "intel", "canon",
            "logitech", "tp-link", "a4tech", "kingston", "epson",
        ],
        unbranded: 0.04,
    },
    Family {
        brands: &[
            "samsung",
            "lg",
            "indesit",
            "beko",
            "artel",
            "bosch",
            "haier",
            "midea",
            "dauscher",
            "atlant",
            "gorenje",
            "electrolux",
            "hansa",
            "ariston",
            "thermex",
        ],
        unbranded: 0.09,
    },
    Family {
        brands: &[
            "bosch", "philips", "redmond", "vitek", "tefal", "elenberg", "polaris", "moulinex", "braun",
            "scarlett", "xiaomi", "karcher", "rowenta", "oasis", "kitfort", "maxwell",
        ],
        unbranded: 0.11,
    },
    Family {
        brands: &[
            "cordiant",
            "starline",
            "triangle",
            "nokian",
            "pioneer",
            "yokohama",
            "viatti",
            "jvc",
            "skad",
            "kenwood",
            "sho-me",
            "nakamichi",
            "bars",
            "kipardo",
            "michelin",
        ],
        unbranded: 0.14,
    },
    Family {
        brands: &[
            "respect", "nike", "adidas", "strobbs", "baden", "asics", "nexpero", "puma", "tamaris", "rieker",
            "rooman", "salomon",
        ],
        unbranded: 0.34,
    },
    Family {
        brands: &[
            "sv", "brw", "luminarc", "bts", "rals", "nikotex", "lider", "confetti", "imperial", "romack",
            "balta", "santeri",
        ],
        unbranded: 0.55,
    },
    Family {
        brands: &[
            "belecoo",
            "lego",
            "wingoffly",
            "chicco",
            "polini",
            "hasbro",
            "alis",
            "barbie",
            "mattel",
            "tomix",
            "pampers",
        ],
        unbranded: 0.25,
    },
    Family {
        brands: &[
            "makita", "bosch", "metabo", "resanta", "alteco", "karcher", "vihr", "dewalt", "fubag", "stels",
            "gardena",
        ],
        unbranded: 0.18,
    },
    Family {
        brands: &[
            "stels",
            "force",
            "giant",
            "axis",
            "phoenix",
            "aeroforce",
            "torrent",
            "wera",
            "tundra",
            "intex",
        ],
        unbranded: 0.34,
    },
    Family {
        brands: &[
            "sokolov", "lucente", "montale", "lanvin", "versace", "byredo", "efremov", "diamant", "bulgari",
            "shiseido", "creed", "vega",
        ],
        unbranded: 0.32,
    },
    Family {
        brands: &[
            "samsung",
            "sony",
            "microsoft",
            "xiaomi",
            "nintendo",
            "sega",
            "nillkin",
            "a-case",
            "honor",
            "takeit",
        ],
        unbranded: 0.1,
    },
];

const fn at(code: &'static str, weight: u32, price: f64, family: usize) -> Coded {
    Coded { code, weight, price, family }
}

pub(super) const CODED: [Coded; 104] = [
    at("electronics.smartphone", 25_500, 290.0, PHONE),
    at("computers.notebook", 3_100, 560.0, COMPUTER),
    at("electronics.audio.headphone", 2_600, 64.0, AUDIO),
    at("electronics.clocks", 3_000, 160.0, GADGET),
    at("appliances.environment.vacuum", 1_900, 120.0, SMALL),
    at("electronics.video.tv", 2_400, 340.0, LARGE),
    at("appliances.kitchen.washer", 1_700, 310.0, LARGE),
    at("appliances.kitchen.refrigerators", 1_900, 360.0, LARGE),
    at("appliances.environment.air_heater", 1_000, 36.0, SMALL),
    at("auto.accessories.player", 1_100, 86.0, AUTO),
    at("electronics.telephone", 800, 26.0, PHONE),
    at("auto.accessories.alarm", 700, 110.0, AUTO),
    at("furniture.living_room.cabinet", 700, 260.0, HOME),
    at("appliances.kitchen.meat_grinder", 650, 76.0, SMALL),
    at("furniture.living_room.sofa", 800, 490.0, HOME),
    at("apparel.shoes.keds", 900, 78.0, WEAR),
    at("apparel.shoes", 1_300, 82.0, WEAR),
    at("computers.desktop", 750, 600.0, COMPUTER),
    at("electronics.tablet", 650, 210.0, GADGET),
    at("appliances.kitchen.microwave", 520, 91.0, SMALL),
    at("appliances.environment.water_heater", 500, 102.0, LARGE),
    at("electronics.audio.subwoofer", 480, 88.0, AUDIO),
    at("appliances.iron", 520, 30.0, SMALL),
    at("appliances.kitchen.blender", 480, 48.0, SMALL),
    at("kids.carriage", 460, 124.0, KIDS),
    at("auto.accessories.videoregister", 430, 90.0, AUTO),
    at("furniture.bedroom.bed", 560, 200.0, HOME),
    at("sport.bicycle", 480, 250.0, SPORT),
    at("computers.components.videocards", 320, 290.0, COMPUTER),
    at("computers.peripherals.printer", 420, 180.0, COMPUTER),
    at("computers.peripherals.monitor", 400, 200.0, COMPUTER),
    at("computers.peripherals.mouse", 230, 18.0, COMPUTER),
    at("computers.peripherals.keyboard", 180, 30.0, COMPUTER),
    at("computers.components.cpu", 130, 190.0, COMPUTER),
    at("computers.components.motherboard", 120, 90.0, COMPUTER),
    at("computers.components.memory", 110, 45.0, COMPUTER),
    at("computers.components.hdd", 190, 60.0, COMPUTER),
    at("computers.components.power_supply", 90, 50.0, COMPUTER),
    at("computers.components.cooler", 80, 28.0, COMPUTER),
    at("computers.ebooks", 90, 120.0, COMPUTER),
    at("appliances.kitchen.oven", 420, 230.0, LARGE),
    at("appliances.kitchen.hob", 380, 180.0, LARGE),
    at("appliances.kitchen.hood", 360, 110.0, LARGE),
    at("appliances.kitchen.dishwasher", 300, 340.0, LARGE),
    at("appliances.kitchen.kettle", 420, 27.0, SMALL),
    at("appliances.kitchen.mixer", 330, 38.0, SMALL),
    at("appliances.kitchen.grill", 140, 70.0, SMALL),
    at("appliances.kitchen.coffee_machine", 170, 210.0, SMALL),
    at("appliances.kitchen.coffee_grinder", 80, 22.0, SMALL),
    at("appliances.kitchen.toster", 110, 31.0, SMALL),
    at("appliances.kitchen.steam_cooker", 90, 40.0, SMALL),
    at("appliances.kitchen.juicer", 140, 60.0, SMALL),
    at("appliances.environment.air_conditioner", 220, 330.0, LARGE),
    at("appliances.environment.fan", 60, 28.0, SMALL),
    at("appliances.personal.hair_cutter", 190, 34.0, SMALL),
    at("appliances.personal.scales", 130, 20.0, SMALL),
    at("appliances.personal.massager", 80, 90.0, SMALL),
    at("appliances.sewing_machine", 270, 160.0, SMALL),
    at("appliances.ironing_board", 90, 36.0, SMALL),
    at("electronics.audio.acoustic", 300, 110.0, AUDIO),
    at("electronics.audio.microphone", 80, 60.0, AUDIO),
    at("electronics.audio.music_tools.piano", 90, 320.0, AUDIO),
    at("electronics.camera.photo", 160, 480.0, GADGET),
    at("electronics.camera.video", 110, 190.0, GADGET),
    at("electronics.video.projector", 110, 230.0, GADGET),
    at("furniture.living_room.chair", 210, 120.0, HOME),
    at("furniture.kitchen.table", 220, 150.0, HOME),
    at("furniture.kitchen.chair", 190, 80.0, HOME),
    at("furniture.bathroom.bath", 230, 210.0, HOME),
    at("furniture.bathroom.toilet", 130, 140.0, HOME),
    at("furniture.bedroom.blanket", 260, 36.0, HOME),
    at("furniture.bedroom.pillow", 140, 24.0, HOME),
    at("furniture.universal.light", 200, 60.0, HOME),
    at("auto.accessories.radar", 150, 120.0, AUTO),
    at("auto.accessories.compressor", 150, 45.0, AUTO),
    at("auto.accessories.parktronic", 80, 50.0, AUTO),
    at("auto.accessories.winch", 60, 130.0, AUTO),
    at("auto.accessories.anti_freeze", 60, 14.0, AUTO),
    at("apparel.shoes.slipons", 130, 60.0, WEAR),
    at("apparel.shoes.moccasins", 130, 70.0, WEAR),
    at("apparel.shoes.sandals", 110, 55.0, WEAR),
    at("apparel.shoes.ballet_shoes", 60, 50.0, WEAR),
    at("apparel.costume", 240, 70.0, WEAR),
    at("apparel.dress", 120, 60.0, WEAR),
    at("apparel.jeans", 110, 50.0, WEAR),
    at("apparel.shirt", 120, 36.0, WEAR),
    at("apparel.trousers", 130, 45.0, WEAR),
    at("apparel.tshirt", 120, 22.0, WEAR),
    at("apparel.underwear", 100, 18.0, WEAR),
    at("apparel.scarf", 50, 16.0, WEAR),
    at("accessories.bag", 330, 48.0, WEAR),
    at("accessories.wallet", 110, 30.0, WEAR),
    at("accessories.umbrella", 50, 20.0, WEAR),
    at("kids.toys", 420, 32.0, KIDS),
    at("kids.dolls", 110, 28.0, KIDS),
    at("kids.swing", 70, 60.0, KIDS),
    at("kids.skates", 70, 45.0, KIDS),
    at("kids.fmcg.diapers", 90, 15.0, KIDS),
    at("construction.tools.drill", 300, 90.0, TOOL),
    at("construction.tools.light", 360, 40.0, TOOL),
    at("construction.tools.saw", 210, 120.0, TOOL),
    at("construction.tools.welding", 130, 140.0, TOOL),
    at("construction.tools.generator", 130, 330.0, TOOL),
    at("sport.trainer", 170, 210.0, SPORT),
];

/// How many categories have an id but no code.
pub(super) const NAMELESS: usize = 160;

/// The share of events in categories without a code: 5,746 of 17,434 rows in the head of the real file.
pub(super) const NAMELESS_SHARE: f64 = 0.33;
