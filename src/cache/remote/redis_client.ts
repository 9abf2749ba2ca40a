/** What is used of ioredis, loaded when there is a Redis: joined modules know no names of such a package otherwise. */
export { Redis } from "ioredis";
