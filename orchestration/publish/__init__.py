"""From the build file to the file that analysts open: copied, verified, and put in place in one step."""
