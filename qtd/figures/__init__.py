"""The figures of the five papers, drawn again from the library, with their numbers and a verdict on each claim made about them."""
