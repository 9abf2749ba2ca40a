/** Compressed layers: what a codec is, the ones there are, and the choice of one for a layer. */
export * from "./codec.ts";
export * from "./registry.ts";
export { expandWindow, NO_WINDOW, wholeWindow, type Window } from "./window.ts";
