"""The page's pictures: Matplotlib drawings turned into SVG that wears the page's own style."""
