"""The six flats of a stage, from the sky to the silhouettes close to the camera."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from videoatlas_gym.story.growth import HEIGHT as PLANT_HEIGHT
from videoatlas_gym.story.growth import VARIANTS, plant
from videoatlas_gym.story.growth import WIDTH as PLANT_WIDTH
from videoatlas_gym.story.landmarks import ON_WATER, landmark
from videoatlas_gym.story.layers import Layer, land, ridge, sheet, water, wide
from videoatlas_gym.story.looks import Look
from videoatlas_gym.story.marks import mark_ground
from videoatlas_gym.story.names import SIZE
from videoatlas_gym.story.paint import Inks, lighter, mix, muted, wave

SKY, FAR, MID, LAND, GROUND, FRONT = (8, 3), (26, 5), (50, 8), (80, 11), (122, 15), (184, 20)
"""How far each flat moves, across and upwards, in pixels from the middle to the camera's limit."""
_SHORE = 188
"""The row of the frame where the landmark stands, give or take a few."""


def inks(look: Look) -> Inks:
    """Return what a theme paints its landmarks in."""
    window = look.glow if look.is_dark else mix((72, 80, 96), look.haze, 0.15)
    tint = 0.06
    return Inks(
        mix(look.wall, look.haze, tint),
        mix(look.roof, look.haze, tint),
        window,
        look.leaf[0],
        look.haze,
    )


def sky(look: Look, rng: np.random.Generator) -> Layer:
    """Return the sky with its sun, or its moon and stars."""
    width, height = wide(SKY[0]), 204
    picture = sheet(rng, width, height, look.sky, 0.05)
    draw = ImageDraw.Draw(picture, "RGBA")
    if look.orb == "moon":
        for _ in range(150):
            x, y, size = (
                rng.uniform(0, width),
                190 * rng.uniform(0, 1) ** 1.3,
                rng.uniform(0.3, 1.1),
            )
            tone = (250, 246, 226, int(rng.integers(90, 240)))
            draw.ellipse((x - size, y - size, x + size, y + size), fill=tone)
    if look.orb != "none":
        x, y = rng.uniform(90, width - 90), rng.uniform(26, 84)
        size = 24 if look.orb == "moon" else rng.uniform(15, 25)
        halo = Image.new("L", (220, 220))
        ImageDraw.Draw(halo).ellipse((50, 50, 170, 170), fill=90)
        halo = halo.filter(ImageFilter.BoxBlur(18)).filter(ImageFilter.BoxBlur(18))
        glow = muted(look.glow, 0.4)
        picture.paste(glow, (round(x) - 110, round(y) - 110), halo)
        disc = Image.new("L", (192, 192))
        ImageDraw.Draw(disc).ellipse((96 - size * 3,) * 2 + (96 + size * 3,) * 2, fill=240)
        if look.orb == "moon":
            bite = (96 - size * 1.6, 96 - size * 3.6, 96 + size * 4.4, 96 + size * 2.4)
            ImageDraw.Draw(disc).ellipse(bite, fill=0)
        picture.paste(lighter(glow, 0.45), (round(x) - 32, round(y) - 32), disc.reduce(3))
    return Layer(picture, -SKY[1], *SKY)


def far(look: Look, rng: np.random.Generator) -> tuple[Layer, tuple[int, int] | None]:
    """Return the far ridge, half lost in haze: and where in it a crater smokes, if one does."""
    tall = {"peaks": 92, "cone": 128, "skyline": 84, "mesas": 66, "sea": 26, "trees": 52}
    height = tall.get(look.far_line, 44)
    heights = ridge(look.far_line, rng, wide(FAR[0]), height)
    colours = tuple(mix(tone, look.haze, 0.3) for tone in look.far)
    snow = 34 if look.far_line == "peaks" else None
    picture = land(rng, heights, 60, colours, (look.haze, 0.75), look.far_line, snow)
    top, crater = 152 - (picture.height - 60), None
    if look.far_line == "skyline":
        _light_windows(picture, look, rng, 0.35)
    if look.far_line == "cone":
        crater = _lava(picture, heights, rng)
    if look.far_line == "sea":
        sea = water(rng, picture.width, 60, look.water, look.haze)
        picture.paste(sea, (0, picture.height - 60))
    return Layer(picture, top, *FAR), crater


def _lava(picture: Image.Image, heights: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Draw streams down the highest peak; return where its crater is."""
    peak = int(np.argmax(heights))
    draw = ImageDraw.Draw(picture)
    for lean in (-0.5, 0.1, 0.62):
        x, y, points = peak + lean * 12, picture.height - 60 - heights[peak] + 6, []
        for _ in range(9):
            points.append((x, y))
            x, y = x + lean * 9 + rng.uniform(-3, 3), y + 8
        draw.line(points, muted((238, 138, 112)), 3, joint="curve")
        draw.line(points, muted((252, 204, 160)), 1)
    return peak, int(picture.height - 60 - heights[peak])


def _light_windows(
    picture: Image.Image, look: Look, rng: np.random.Generator, share: float
) -> None:
    solid = np.asarray(picture.getchannel("A")) == 255
    draw = ImageDraw.Draw(picture)
    tones = (mix(look.glow, look.haze, 0.25), mix(look.land[1], look.haze, 0.35))
    for x in range(3, picture.width - 4, 6):
        for y in range(4, picture.height - 24, 7):
            if solid[y - 3 : y + 5, x - 2 : x + 4].all() and rng.random() < 0.62:
                lit = tones[0] if rng.random() < share else tones[1]
                draw.rectangle((x, y, x + 1, y + 2), fill=muted(lit))


def mid(look: Look, rng: np.random.Generator) -> Layer:
    """Return the hills between, with small plants."""
    tall = {"peaks": 56, "skyline": 58, "mesas": 46, "trees": 48, "islets": 16, "flat": 10}
    heights = ridge(look.mid_line, rng, wide(MID[0]), tall.get(look.mid_line, 32))
    colours = tuple(mix(a, b, 0.5) for a, b in zip(look.far, look.land, strict=True))
    picture = land(rng, heights, 54, colours, (look.haze, 0.6), look.mid_line)
    base = picture.height - 54
    if look.mid_line == "skyline":
        _light_windows(picture, look, rng, 0.5)
    if look.mid_line == "islets":
        picture.paste(water(rng, picture.width, 54, look.water, look.haze), (0, base))
    grown = Image.new("RGBA", (picture.width, picture.height + 40))
    grown.paste(picture, (0, 40))
    spots = rng.uniform(0, picture.width, 26)
    if look.mid_line in ("islets", "sea"):
        spots = spots[heights[spots.astype(int)] > 4]
    for x in spots:
        y = 40 + base - heights[int(x)] + rng.uniform(2, 9)
        _grow(grown, look, rng, (x, y), rng.uniform(0.2, 0.3), 0.5)
    return Layer(grown, 172 - base - 40, *MID)


def _grow(
    picture: Image.Image,
    look: Look,
    rng: np.random.Generator,
    foot: tuple[float, float],
    scale: float,
    haze: float,
) -> None:
    """Put a plant of the theme on a picture, its foot at a spot."""
    kind = look.growth[int(rng.integers(len(look.growth)))]
    light, dark = (mix(tone, look.haze, haze) for tone in look.leaf)
    one = plant(kind, light, dark, int(rng.integers(VARIANTS)))
    size = (max(4, round(PLANT_WIDTH * scale)), max(5, round(PLANT_HEIGHT * scale)))
    small = one.resize(size, Image.Resampling.BILINEAR)
    left, top = round(foot[0] - size[0] / 2), round(foot[1] - size[1])
    if 0 <= left <= picture.width - size[0] and 0 <= top:
        picture.alpha_composite(small, (left, top))


def shore(
    look: Look, place: str, colours: Inks, middle: int, scale: float, rng: np.random.Generator
) -> tuple[Layer, int]:
    """Return the flat with the landmark, and the row in it where the landmark stands."""
    width, up = wide(LAND[0]), 150
    heights = ridge(
        "flat" if look.mid_line in ("flat", "islets", "skyline") else "hills", rng, width, 20
    )
    away = np.abs(np.arange(width) - middle)
    level = np.clip((away - 100) / 60, 0, 1)
    heights = heights * level + 4 * (1 - level)
    wet = place in ON_WATER
    if wet:
        heights = heights * 0.3
    picture = land(rng, heights, 58, look.land, (look.haze, 0.16), "hills")
    base = up + picture.height - 58
    full = Image.new("RGBA", (width, up + picture.height))
    full.paste(picture, (0, up))
    building = landmark(place, colours, rng)
    size = (round(280 * scale), round(180 * scale))
    building = building.resize(size, Image.Resampling.BICUBIC)
    if wet:
        full.paste(water(rng, width, 58, look.water, look.haze), (0, base - 2))
        mirrored = building.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop((0, 0, size[0], 50))
        mirrored.putalpha(mirrored.getchannel("A").point(lambda v: v * 0.34))
        full.alpha_composite(mirrored, (middle - size[0] // 2, base + 4))
    for x in rng.permutation(np.linspace(10, width - 10, 30) + rng.uniform(-9, 9, 30)):
        if abs(x - middle) > 96 and not (wet and place != "harbour" and abs(x - middle) < 130):
            foot = (x, base - max(heights[min(int(x), width - 1)], 0) + rng.uniform(0, 4))
            _grow(full, look, rng, foot, rng.uniform(0.36, 0.62), 0.16)
    full.alpha_composite(building, (middle - size[0] // 2, base + 4 - size[1]))
    if not wet:
        for side in (-1, 1):
            foot = (middle + side * rng.uniform(84, 104), base + 5)
            _grow(full, look, rng, foot, rng.uniform(0.3, 0.4), 0.1)
    return Layer(full, _SHORE - base + int(rng.integers(-5, 6)), *LAND), base


def ground(look: Look, place: str, offset: int, rng: np.random.Generator) -> Layer:
    """Return the near ground: it rolls, bears marks and a path, and plants at its far edge."""
    width, up = wide(GROUND[0]), 104
    rolls = (
        "flat" if look.mid_line == "skyline" else "dunes" if look.mid_line == "dunes" else "hills"
    )
    heights = ridge(rolls, rng, width, 20)
    height = 90 + 2 * GROUND[1]
    top = int(np.ceil(heights.max())) + 2
    surface = sheet(rng, width, height, look.ground, 0.13)
    mark_ground(surface, look, rng, None if place in ON_WATER else width // 2 + offset)
    depth = np.arange(height)[:, None] - (top - heights[None, :])
    alpha = Image.fromarray((np.clip(depth + 0.5, 0, 1) * 255).astype(np.uint8))
    edge = Image.fromarray((np.clip(4 - depth, 0, 3) * 44).astype(np.uint8))
    surface.paste(muted(lighter(look.ground[1], 0.4)), (0, 0), edge)
    full = Image.new("RGBA", (width, height + up))
    for x in rng.permutation(np.linspace(30, width - 30, 14) + rng.uniform(-20, 20, 14))[:9]:
        away = abs(x - width // 2 - offset)
        if away > 120:
            foot = (x, up + top - heights[int(x)] + rng.uniform(1, 5))
            _grow(full, look, rng, foot, rng.uniform(0.55, 0.95) * (1 if away > 190 else 0.7), 0.04)
    surface.putalpha(alpha)
    full.alpha_composite(surface, (0, up))
    return Layer(full, 210 - top - up + int(rng.integers(-5, 6)), *GROUND)


def front(look: Look, rng: np.random.Generator) -> Layer:
    """Return the silhouettes close to the camera: a bank that rises to both sides, and plants."""
    width, height = wide(FRONT[0]), 230
    picture = Image.new("RGBA", (width, height))
    light, dark = lighter(look.ink, 0.14), look.ink
    side = np.abs(np.linspace(-1, 1, width))
    bank = 12 + 58 * np.clip(side - 0.34, 0, 1) ** 1.2 + 5 * wave(rng, width, 110, 0.5)
    spots = [*rng.uniform(0, 270, 6), *rng.uniform(width - 270, width, 6)]
    for x in sorted(spots, key=lambda spot: -min(spot, width - spot)):
        kind = look.front[int(rng.integers(len(look.front)))]
        one = plant(kind, light, dark, int(rng.integers(VARIANTS)))
        scale = rng.uniform(0.75, 1.05) + (0.6 if min(x, width - x) < 130 else 0.0)
        size = (round(PLANT_WIDTH * scale), round(PLANT_HEIGHT * scale))
        left = round(x - size[0] / 2)
        top = round(height - bank[min(int(x), width - 1)] - size[1] + 12)
        big = one.resize(size, Image.Resampling.BILINEAR)
        seen = big.crop((max(0, -left), max(0, -top), *size))
        picture.alpha_composite(seen, (max(0, left), max(0, top)))
    earth = land(rng, bank, 0, (light, dark), (look.haze, 0.0))
    picture.alpha_composite(earth, (0, height - earth.height))
    return Layer(picture, SIZE[1] - height + FRONT[1], *FRONT)
