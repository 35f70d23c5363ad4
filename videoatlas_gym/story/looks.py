"""How each theme looks: its colours, the lie of its land, what grows there and what falls."""

from __future__ import annotations

from dataclasses import dataclass

from videoatlas_gym.story.paint import RGB


@dataclass(frozen=True)
class Look:
    """The palette and the habits of one theme; colours are RGB, sky and ground light to dark."""

    sky: tuple[RGB, ...]
    """From the top of the picture to the horizon."""
    haze: RGB
    """What far things fade to."""
    far: tuple[RGB, RGB]
    """Light and dark side of the far land."""
    land: tuple[RGB, RGB]
    """Light and dark side of the land where the landmark stands."""
    ground: tuple[RGB, ...]
    """The near ground, from its far edge to the lower edge of the picture."""
    leaf: tuple[RGB, RGB]
    """Light and dark side of what grows."""
    wall: RGB
    roof: RGB
    water: RGB
    ink: RGB
    """The silhouettes nearest to the camera."""
    glow: RGB = (255, 236, 184)
    """Lit windows, sun and moon."""
    far_line: str = "hills"
    """The shape of the far ridge: hills, peaks, dunes, mesas, skyline, cone, sea or trees."""
    mid_line: str = "hills"
    growth: tuple[str, ...] = ("round",)
    """The plants and stones of the middle ground."""
    front: tuple[str, ...] = ("grass",)
    """What stands in the lower corners, close to the camera."""
    orb: str = "sun"
    """In the sky: sun, moon, or none."""
    falling: str = "none"
    """In the air: snow, rain, leaves, petals, fireflies, embers, dust, gulls or none."""
    clouds: int = 4
    cloud: RGB = (255, 250, 240)
    is_dark: bool = False
    """Whether windows are lit."""
    pattern: str = "tufts"
    """The marks on the near ground: tufts, ripples, stones, cobbles, flowers, leaves, cracks."""


LOOKS = {
    "snow": Look(
        sky=((150, 178, 206), (190, 208, 224), (232, 236, 238)),
        haze=(222, 230, 236),
        far=((236, 241, 245), (164, 186, 208)),
        land=((246, 249, 251), (186, 204, 222)),
        ground=((226, 234, 242), (246, 249, 252), (208, 221, 234)),
        leaf=((104, 132, 136), (58, 82, 94)),
        wall=(150, 126, 116),
        roof=(238, 243, 247),
        water=(150, 184, 204),
        ink=(62, 82, 104),
        far_line="peaks",
        growth=("snowpine", "snowpine", "snowpine", "mound"),
        front=("snowpine", "mound"),
        falling="snow",
        clouds=3,
        cloud=(244, 247, 250),
        pattern="ripples",
    ),
    "desert": Look(
        sky=((206, 190, 168), (232, 214, 180), (246, 232, 200)),
        haze=(240, 222, 186),
        far=((228, 200, 152), (190, 150, 112)),
        land=((236, 206, 150), (190, 142, 98)),
        ground=((224, 186, 126), (238, 206, 150), (196, 150, 100)),
        leaf=((136, 146, 104), (88, 102, 78)),
        wall=(222, 190, 148),
        roof=(166, 112, 88),
        water=(140, 176, 170),
        ink=(104, 74, 62),
        glow=(255, 246, 214),
        far_line="dunes",
        mid_line="dunes",
        growth=("cactus", "cactus", "rock", "bush"),
        front=("cactus", "rock"),
        falling="dust",
        clouds=1,
        cloud=(250, 240, 216),
        pattern="ripples",
    ),
    "forest": Look(
        sky=((150, 172, 152), (190, 204, 174), (220, 224, 192)),
        haze=(192, 206, 176),
        far=((140, 166, 138), (104, 136, 114)),
        land=((104, 132, 96), (60, 86, 66)),
        ground=((92, 116, 78), (110, 130, 84), (54, 72, 52)),
        leaf=((96, 128, 92), (44, 72, 58)),
        wall=(158, 140, 116),
        roof=(96, 84, 72),
        water=(112, 142, 130),
        ink=(30, 46, 40),
        far_line="trees",
        mid_line="trees",
        growth=("pine", "pine", "trunk", "pine"),
        front=("trunk", "fern"),
        orb="none",
        falling="fireflies",
        clouds=0,
        pattern="tufts",
    ),
    "city": Look(
        sky=((128, 126, 150), (178, 164, 174), (222, 204, 194)),
        haze=(204, 192, 192),
        far=((170, 164, 178), (142, 138, 156)),
        land=((122, 118, 132), (88, 86, 104)),
        ground=((132, 130, 138), (148, 146, 150), (100, 98, 110)),
        leaf=((108, 122, 110), (74, 88, 84)),
        wall=(178, 154, 142),
        roof=(92, 88, 104),
        water=(120, 130, 148),
        ink=(48, 48, 62),
        glow=(250, 226, 170),
        far_line="skyline",
        mid_line="skyline",
        growth=("block", "block", "lamp", "block"),
        front=("lamp", "post"),
        orb="none",
        clouds=3,
        cloud=(226, 214, 214),
        is_dark=True,
        pattern="cobbles",
    ),
    "night": Look(
        sky=((34, 40, 66), (52, 60, 92), (92, 98, 130)),
        haze=(82, 90, 122),
        far=((76, 84, 116), (56, 62, 92)),
        land=((60, 70, 98), (38, 44, 68)),
        ground=((50, 58, 82), (60, 70, 94), (32, 37, 56)),
        leaf=((54, 66, 88), (30, 37, 56)),
        wall=(104, 102, 128),
        roof=(56, 54, 80),
        water=(70, 82, 118),
        ink=(22, 25, 38),
        glow=(252, 234, 178),
        far_line="hills",
        growth=("round", "poplar", "bush"),
        front=("grass", "poplar"),
        orb="moon",
        falling="fireflies",
        clouds=2,
        cloud=(84, 92, 122),
        is_dark=True,
        pattern="tufts",
    ),
    "island": Look(
        sky=((136, 190, 206), (180, 216, 220), (230, 238, 226)),
        haze=(206, 228, 226),
        far=((120, 178, 182), (102, 158, 170)),
        land=((168, 190, 132), (110, 144, 110)),
        ground=((240, 224, 184), (246, 232, 198), (216, 190, 146)),
        leaf=((132, 166, 110), (72, 112, 88)),
        wall=(240, 226, 202),
        roof=(190, 130, 108),
        water=(122, 186, 192),
        ink=(56, 76, 66),
        far_line="sea",
        mid_line="islets",
        growth=("palm", "palm", "bush", "palm"),
        front=("palm", "fern"),
        falling="gulls",
        clouds=5,
        pattern="ripples",
    ),
    "mountain": Look(
        sky=((146, 158, 192), (190, 190, 212), (232, 218, 216)),
        haze=(206, 204, 218),
        far=((216, 214, 226), (116, 120, 152)),
        land=((132, 142, 128), (92, 102, 106)),
        ground=((140, 148, 124), (152, 156, 134), (92, 98, 92)),
        leaf=((92, 112, 104), (56, 72, 76)),
        wall=(172, 164, 160),
        roof=(108, 92, 96),
        water=(130, 152, 180),
        ink=(50, 56, 68),
        far_line="peaks",
        mid_line="peaks",
        growth=("pine", "rock", "pine", "rock"),
        front=("rock", "pine"),
        falling="gulls",
        clouds=4,
        pattern="stones",
    ),
    "meadow": Look(
        sky=((150, 188, 214), (192, 214, 222), (238, 240, 220)),
        haze=(216, 226, 206),
        far=((176, 200, 158), (138, 170, 138)),
        land=((186, 204, 126), (132, 164, 98)),
        ground=((172, 192, 108), (188, 202, 118), (118, 146, 80)),
        leaf=((150, 178, 104), (92, 128, 82)),
        wall=(240, 228, 206),
        roof=(178, 118, 104),
        water=(142, 184, 204),
        ink=(64, 90, 60),
        far_line="hills",
        growth=("round", "poplar", "bush", "blossom"),
        front=("daisies", "grass"),
        falling="petals",
        clouds=6,
        pattern="flowers",
    ),
    "autumn": Look(
        sky=((196, 184, 176), (224, 208, 186), (244, 230, 200)),
        haze=(230, 212, 182),
        far=((202, 164, 126), (168, 128, 108)),
        land=((192, 154, 100), (142, 104, 76)),
        ground=((176, 134, 88), (192, 152, 100), (124, 86, 64)),
        leaf=((200, 136, 96), (138, 82, 68)),
        wall=(206, 186, 160),
        roof=(116, 78, 74),
        water=(158, 168, 164),
        ink=(66, 44, 44),
        far_line="trees",
        growth=("round", "maple", "round", "bare"),
        front=("bare", "grass"),
        falling="leaves",
        clouds=3,
        cloud=(250, 238, 216),
        pattern="leaves",
    ),
    "volcano": Look(
        sky=((62, 56, 64), (104, 82, 84), (170, 122, 104)),
        haze=(138, 106, 98),
        far=((108, 88, 88), (66, 56, 62)),
        land=((86, 76, 78), (48, 44, 52)),
        ground=((70, 62, 66), (84, 74, 76), (42, 39, 46)),
        leaf=((92, 82, 80), (48, 44, 50)),
        wall=(142, 126, 122),
        roof=(74, 60, 66),
        water=(88, 88, 104),
        ink=(26, 24, 30),
        glow=(250, 190, 130),
        far_line="cone",
        mid_line="peaks",
        growth=("rock", "spire", "rock", "bare"),
        front=("spire", "rock"),
        orb="none",
        falling="embers",
        clouds=4,
        cloud=(90, 78, 82),
        is_dark=True,
        pattern="cracks",
    ),
    "marsh": Look(
        sky=((148, 154, 140), (178, 182, 162), (208, 208, 184)),
        haze=(190, 194, 172),
        far=((158, 166, 146), (132, 142, 126)),
        land=((132, 138, 104), (92, 98, 78)),
        ground=((112, 118, 84), (126, 130, 94), (74, 80, 62)),
        leaf=((120, 124, 92), (70, 76, 62)),
        wall=(150, 140, 122),
        roof=(94, 88, 76),
        water=(138, 150, 136),
        ink=(42, 48, 42),
        glow=(238, 232, 196),
        far_line="trees",
        mid_line="flat",
        growth=("bare", "reeds", "bare", "reeds"),
        front=("reeds", "bare"),
        falling="rain",
        clouds=5,
        cloud=(168, 172, 156),
        pattern="pools",
    ),
    "canyon": Look(
        sky=((160, 178, 192), (204, 200, 192), (240, 220, 200)),
        haze=(232, 204, 184),
        far=((214, 162, 138), (168, 118, 106)),
        land=((206, 142, 112), (146, 92, 80)),
        ground=((196, 134, 104), (210, 150, 116), (142, 92, 76)),
        leaf=((132, 136, 100), (90, 96, 76)),
        wall=(224, 188, 156),
        roof=(134, 82, 76),
        water=(134, 168, 168),
        ink=(84, 50, 50),
        far_line="mesas",
        mid_line="mesas",
        growth=("hoodoo", "bush", "rock", "hoodoo"),
        front=("rock", "bush"),
        falling="dust",
        clouds=3,
        pattern="stones",
    ),
}
"""The look of every theme."""
