"""`sanum detectors`: list what can be trained."""

from __future__ import annotations


def run() -> None:
    """List the detectors, what each costs and needs, and the recipes that `sanum train --recipe` takes."""
    from sanum.detectors import DETECTORS
    from sanum.detectors.recipes import RECIPES

    for entry in DETECTORS:
        recipes = [name for name, recipe in RECIPES.items() if recipe.detector == entry.name]
        print(f"{entry.name:12} {entry.summary}")
        print(f"{'':12} training: {entry.cost}; model: {entry.memory}; needs: {entry.needs}")
        print(f"{'':12} recipes: {', '.join(recipes)}")
