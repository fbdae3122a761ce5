// How long sigstore-go takes for the bundles of the benchmark: peers FOLDER ROUNDS, where FOLDER is what
// `cargo bench --bench proof -- --export FOLDER` writes. A tool for benches/run; nothing of the program depends on it.
package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

// The bundles, in the order in which they take turns.
var names = []string{"rekor-v1", "slsa", "rekor-v2"}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// CPU time of this process so far, all its threads with the garbage collector's, in microseconds.
func cpu() int64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return (usage.Utime.Sec+usage.Stime.Sec)*1e6 + int64(usage.Utime.Usec+usage.Stime.Usec)
}

// From JSON to a verdict; the trusted root was loaded before, as it is by a server.
func prove(trusted *root.TrustedRoot, json, digest []byte) error {
	var signed bundle.Bundle
	if err := signed.UnmarshalJSON(json); err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(trusted,
		verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return err
	}
	identity, err := verify.NewShortCertificateIdentity("", ".*", "", ".*")
	if err != nil {
		return err
	}
	policy := verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), verify.WithCertificateIdentity(identity))
	_, err = verifier.Verify(&signed, policy)
	return err
}

func main() {
	folder := os.Args[1]
	rounds, err := strconv.Atoi(os.Args[2])
	check(err)
	trusted, err := root.NewTrustedRootFromPath(filepath.Join(folder, "trusted_root.json"))
	check(err)
	text, err := os.ReadFile(filepath.Join(folder, "digest"))
	check(err)
	digest, err := hex.DecodeString(strings.TrimSpace(string(text)))
	check(err)
	times := map[string][]int64{}
	for range rounds {
		for _, name := range names {
			json, err := os.ReadFile(filepath.Join(folder, name+".json"))
			check(err)
			start := cpu()
			if err := prove(trusted, json, digest); err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				os.Exit(1)
			}
			times[name] = append(times[name], cpu()-start)
		}
	}
	for _, name := range names {
		slices.Sort(times[name])
		fmt.Printf("%s %d\n", name, times[name][rounds/2])
	}
}
