/** What is used of ioredis, loaded when there is a Redis: of a package like that, bundles know no names otherwise. */
export { Redis } from "ioredis";
