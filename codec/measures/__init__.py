"""How good a resynthesis is, and what it is measured against."""
