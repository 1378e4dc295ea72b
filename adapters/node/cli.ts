/** The command line, at the address that it had until 0.1: operators' scripts call it there. */
import '../cli/index.ts'
