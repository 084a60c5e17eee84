// A real OpenID provider for the tests: whoever types a login there is signed in, with the e-mail address of that name.
// node provider.mjs REDIRECT_URI [RS256|ES256]; prints its issuer.
import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import Provider from "oidc-provider";

const [redirect, algorithm = "RS256"] = process.argv.slice(2);
const jwk = (kind, options, alg) => ({
  ...generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" }),
  use: "sig",
  alg,
  kid: alg,
});
const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "safeguarding-inbox",
      client_secret: "a secret: with % and + signs",
      redirect_uris: [redirect],
      id_token_signed_response_alg: algorithm,
      application_type: "web",
    },
  ],
  jwks: {
    keys: [jwk("rsa", { modulusLength: 2048 }, "RS256"), jwk("ec", { namedCurve: "P-256" }, "ES256")],
  },
  cookies: { keys: ["only for tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.org`, email_verified: true }),
  }),
});
server.on("request", provider.callback());
console.log(issuer);
