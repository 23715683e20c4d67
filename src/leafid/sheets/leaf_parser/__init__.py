"""A learned leaf parser: finds leaves in pictures of any kind and reads their midrib and secondary veins."""

from leafid.sheets.leaf_parser.parsed_leaf import NotWhole, ParsedLeaf, SecondaryCount
from leafid.sheets.leaf_parser.parsing import parse_leaf_between, parse_leaves

__all__ = ["NotWhole", "ParsedLeaf", "SecondaryCount", "parse_leaf_between", "parse_leaves"]
