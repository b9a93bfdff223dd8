/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// What the functions that tests hand to a browser are made of.
