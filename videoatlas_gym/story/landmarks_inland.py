"""The landmarks without wheels or water: castle, farm, temple, garden and observatory."""

from __future__ import annotations

import numpy as np

from videoatlas_gym.story.paint import RGB, Canvas, Inks, lighter, mix


def castle(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    """Paint a keep between four towers with flags."""
    for x, half, top in ((92, 16, 62), (196, 15, 70)):
        _turret(canvas, inks, x, half, top)
    canvas.box(106, 60, 172, 180, inks.wall)
    canvas.box(142, 60, 172, 180, mix(inks.wall, inks.shade, 0.7))
    _crenels(canvas, 106, 172, 60, inks.wall)
    _turret(canvas, inks, 140, 15, 36)
    canvas.box(30, 118, 250, 180, inks.wall)
    canvas.box(30, 124, 250, 180, mix(inks.wall, inks.shade, 0.3))
    _crenels(canvas, 30, 250, 118, inks.light)
    for x in (34, 246):
        canvas.box(x - 19, 96, x + 19, 180, inks.wall)
        canvas.box(x + 3, 96, x + 19, 180, inks.shade)
        canvas.box(x - 22, 92, x + 22, 101, inks.light)
        _crenels(canvas, x - 22, x + 22, 92, inks.light)
        windows(canvas, inks, [x - 4], [112, 140], 7)
    canvas.arch(120, 134, 160, 181, inks.light)
    canvas.arch(124, 138, 156, 181, lighter(inks.wood, -0.3))
    for x in (130, 140, 150):
        canvas.box(x, 140, x + 1.5, 180, lighter(inks.wood, 0.2))
    windows(canvas, inks, [120, 160], [84], 8)


def _turret(canvas: Canvas, inks: Inks, x: float, half: float, top: float) -> None:
    canvas.box(x - half, top, x + half, 180, inks.wall)
    canvas.box(x + half * 0.2, top, x + half, 180, inks.shade)
    canvas.polygon([(x - half - 5, top), (x, top - 34), (x + half + 5, top)], inks.roof)
    canvas.polygon([(x, top - 34), (x + half + 5, top), (x + 2, top)], inks.roof_shade)
    windows(canvas, inks, [x - 4], [top + 12], 7)
    canvas.line([(x, top - 30), (x, top - 46)], inks.wood, 1.5)
    canvas.polygon([(x, top - 46), (x + 16, top - 42), (x, top - 37)], lighter(inks.roof, 0.1))


def _crenels(canvas: Canvas, left: float, right: float, top: float, colour: RGB) -> None:
    count = max(2, round((right - left) / 16))
    step = (right - left) / (2 * count - 1)
    for index in range(count):
        x = left + 2 * index * step
        canvas.box(x, top - 7, x + step, top + 1, colour)


def windows(
    canvas: Canvas, inks: Inks, xs: np.ndarray | list, ys: np.ndarray | list, size: float = 6
) -> None:
    """Paint round-topped windows at every x and y."""
    for y in ys:
        for x in xs:
            canvas.arch(x - size / 2, y, x + size / 2, y + size * 1.6, inks.window)


def farm(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    """Paint a gambrel barn with its silo, a fence and hay."""
    barn = mix(inks.roof, (170, 96, 84), 0.55)
    canvas.box(192, 58, 232, 180, inks.wall)
    canvas.box(214, 58, 232, 180, inks.shade)
    for y in range(72, 178, 18):
        canvas.box(192, y, 232, y + 2, mix(inks.wall, inks.shade, 0.8))
    canvas.dome(212, 59, 42, 24, inks.roof_shade)
    front = [(52, 180), (52, 112), (66, 84), (108, 60), (150, 84), (164, 112), (164, 180)]
    canvas.polygon([(108, 60), (172, 66), (206, 118), (206, 180), (164, 180), (164, 112)], barn)
    canvas.polygon([(108, 58), (174, 64), (208, 118), (166, 116), (152, 84)], inks.roof_shade)
    canvas.polygon(front, barn)
    canvas.polygon([(164, 116), (206, 118), (206, 180), (164, 180)], lighter(barn, -0.28))
    canvas.line([(48, 114), (64, 82), (108, 57), (152, 82), (168, 114)], (244, 236, 220), 5)
    canvas.box(86, 128, 130, 180, (240, 230, 212))
    canvas.box(89, 131, 127, 180, lighter(barn, -0.2))
    for line in ([(89, 131), (127, 180)], [(127, 131), (89, 180)], [(108, 131), (108, 180)]):
        canvas.line(line, (240, 230, 212), 2.5)
    canvas.box(98, 88, 118, 108, (240, 230, 212))
    canvas.box(101, 91, 115, 105, inks.window)
    for x in (16, 38, 246, 268):
        canvas.box(x - 2, 152, x + 2, 180, inks.wood)
    for left, right in ((0, 54), (232, 280)):
        canvas.box(left, 158, right, 161, inks.wood)
        canvas.box(left, 168, right, 171, inks.wood)
    for x, size in ((26, 26), (250, 30)):
        canvas.oval(x, 180 - size / 2, size, size, (206, 178, 118))
        canvas.oval(x, 180 - size / 2, size * 0.6, size * 0.6, (176, 146, 98))
        canvas.oval(x, 180 - size / 2, size * 0.3, size * 0.3, (206, 178, 118))


def temple(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    """Paint a row of columns under a gable, on steps."""
    stone = mix(inks.wall, (236, 228, 212), 0.55)
    shade = mix(stone, inks.shade, 0.6)
    for step in range(4):
        canvas.box(30 - step * 8, 152 + step * 7, 250 + step * 8, 181, lighter(stone, -0.07 * step))
        canvas.box(30 - step * 8, 152 + step * 7, 250 + step * 8, 154 + step * 7, inks.light)
    canvas.box(44, 76, 236, 152, lighter(shade, -0.4))
    canvas.box(126, 96, 154, 152, mix(inks.window, (120, 90, 70), 0.3))
    for x in np.linspace(52, 228, 7):
        canvas.box(x - 9, 82, x + 9, 152, stone)
        canvas.box(x + 2, 82, x + 9, 152, shade)
        canvas.box(x - 9, 82, x - 6, 152, lighter(stone, 0.5))
        canvas.box(x - 12, 76, x + 12, 83, stone)
        canvas.box(x - 12, 147, x + 12, 153, stone)
    canvas.box(36, 64, 244, 77, stone)
    for x in range(44, 240, 14):
        canvas.box(x, 67, x + 6, 74, shade)
    canvas.polygon([(28, 65), (140, 14), (252, 65)], stone)
    canvas.polygon([(52, 60), (140, 22), (228, 60)], shade)
    canvas.oval(140, 46, 20, 20, stone)
    canvas.polygon([(28, 65), (140, 14), (140, 8), (18, 64)], inks.roof)
    canvas.polygon([(252, 65), (140, 14), (140, 8), (262, 64)], inks.roof_shade)
    for x in (22, 140, 258):
        canvas.oval(x, 8 if x == 140 else 62, 10, 12, inks.light)


def garden(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    """Paint a fountain between clipped trees, hedges and rose arches."""
    leaf, dark = lighter(inks.leaf, 0.12), lighter(inks.leaf, -0.35)
    for x in (40, 240):
        canvas.arch(x - 34, 84, x + 34, 180, mix(leaf, dark, 0.4))
        canvas.erase_oval(x, 118, 46, 46)
        canvas.erase([(x - 23, 118), (x + 23, 118), (x + 23, 182), (x - 23, 182)])
        for angle in np.linspace(np.pi, 2 * np.pi, 12):
            spot = (x + 29 * np.cos(angle), 116 + 29 * np.sin(angle))
            canvas.oval(*spot, 9, 9, leaf)
            canvas.oval(spot[0] + 2, spot[1] - 2, 5, 5, (232, 198, 200))
    for x, tall in ((86, 86), (194, 86)):
        canvas.box(x - 2, 150, x + 2, 180, inks.wood)
        canvas.polygon([(x - 19, 168), (x, 168 - tall), (x + 19, 168)], dark)
        canvas.polygon([(x - 19, 168), (x, 168 - tall), (x - 1, 168)], leaf)
    stone, shade = mix(inks.wall, (232, 228, 218), 0.6), mix(inks.shade, (170, 166, 164), 0.4)
    canvas.box(136, 106, 144, 160, stone)
    canvas.box(140, 106, 144, 160, shade)
    for y, half, thick in ((118, 17, 7), (140, 28, 9)):
        canvas.oval(140, y, half * 2, thick * 1.6, stone)
        canvas.oval(140, y - 1.5, half * 1.7, thick * 0.8, (206, 222, 228))
    canvas.polygon([(94, 162), (186, 162), (178, 180), (102, 180)], stone)
    canvas.polygon([(140, 162), (186, 162), (178, 180), (140, 180)], shade)
    canvas.oval(140, 162, 94, 10, stone)
    canvas.oval(140, 162, 86, 7, (190, 212, 222))
    for side in (-1, 1):
        for reach, top in ((14, 106), (24, 128)):
            arc = [
                (140 + side * reach * t, top + 34 * t * t - 16 * t) for t in np.linspace(0, 1, 7)
            ]
            canvas.line(arc, (232, 240, 244), 2)
    for x in [*np.arange(4, 100, 9), *np.arange(184, 280, 9)]:
        canvas.oval(x, 175, 15, 14, mix(leaf, dark, rng.uniform(0.2, 0.9)))
        tint = ((236, 206, 208), (238, 224, 178), (224, 214, 232))[int(rng.integers(3))]
        canvas.oval(x + rng.uniform(-3, 3), 171, 5, 5, tint)


def observatory(canvas: Canvas, inks: Inks, rng: np.random.Generator) -> None:
    """Paint a dome with an open slit and a telescope looking out of it."""
    metal, shade = mix(inks.wall, (226, 230, 232), 0.65), mix(inks.shade, (140, 146, 156), 0.5)
    for left, right in ((30, 92), (188, 250)):
        canvas.box(left, 136, right, 180, inks.wall)
        canvas.box((left + right) / 2, 136, right, 180, inks.shade)
        canvas.box(left - 3, 132, right + 3, 138, inks.light)
        windows(canvas, inks, np.arange(left + 11, right - 4, 14), [148], 7)
    canvas.box(82, 108, 198, 180, inks.wall)
    canvas.box(146, 108, 198, 180, inks.shade)
    canvas.box(82, 108, 88, 180, inks.light)
    windows(canvas, inks, np.arange(100, 190, 20), [130], 9)
    canvas.arch(131, 150, 149, 181, inks.wood)
    canvas.polygon([(150, 72), (208, 10), (222, 22), (166, 86)], lighter(shade, -0.45))
    canvas.polygon([(150, 72), (208, 10), (213, 14), (156, 78)], shade)
    canvas.polygon([(203, 8), (211, 2), (229, 18), (222, 27)], metal)
    canvas.dome(140, 108, 128, 76, metal)
    canvas.polygon([(150, 32), (176, 40), (196, 66), (204, 108), (150, 108)], shade)
    for spread in (0.35, 0.7):
        arc = np.linspace(0, np.pi / 2, 9)
        rib = [(140 - 64 * spread * np.cos(a), 108 - 76 * np.sin(a)) for a in arc]
        canvas.line(rib, mix(metal, shade, 0.5), 1.5)
    slit = [(146, 104), (148, 44), (160, 33), (182, 48), (176, 72), (168, 104)]
    canvas.polygon(slit, lighter(inks.roof, -0.6))
    canvas.polygon([(146, 84), (186, 40), (199, 52), (162, 94)], lighter(shade, -0.3))
    canvas.polygon([(146, 84), (186, 40), (191, 45), (151, 88)], metal)
    canvas.box(74, 104, 206, 112, inks.light)
    canvas.box(150, 104, 206, 112, mix(inks.wall, inks.shade, 0.5))
