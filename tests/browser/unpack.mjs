// Unpacks the Chromium that the package carries, with the libraries that a bare machine lacks; prints where it is.
import chromium from "@sparticuz/chromium";

const path = await chromium.executablePath();
process.stdout.write(JSON.stringify({ path, args: chromium.args, libraries: process.env.LD_LIBRARY_PATH ?? "", fonts: process.env.FONTCONFIG_PATH ?? "" }));
