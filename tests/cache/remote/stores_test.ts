/** The stores on real servers: Redis, nginx with DAV, and an S3 gateway. */
import { nginxServer, nginxServerWithLogin } from "./nginx_server.ts";
import { redisServer, redisServerWithPassword } from "./redis_server.ts";
import { s3Gateway } from "./s3_gateway.ts";
import { storeContract } from "./store_contract.ts";

for (const kind of [redisServer, redisServerWithPassword, nginxServer, nginxServerWithLogin, s3Gateway]) {
  storeContract(kind);
}
