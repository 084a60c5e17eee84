// Unpacks the Chromium that the package carries, with the libraries that a bare machine lacks, into the folder that TMPDIR names.
import chromium from "@sparticuz/chromium";

await chromium.executablePath();
