/** The version of clip, as CHANGELOG.md counts. */
export const VERSION = "0.1.0";
