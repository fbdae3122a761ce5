// How long sigstore-go takes for the bundles of the benchmark: peers FOLDER ROUNDS, where FOLDER is what
// `cargo bench --bench proof -- --share FOLDER` writes. A tool for benches/run; nothing of the program depends on it.
package main

import (
	"crypto"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// What is asked of a bundle, of a certificate that anybody was given or of a key.
type demand struct {
	name    string
	options []verify.VerifierOption
	policy  verify.PolicyOption
	trusted root.TrustedMaterial
}

// In the order in which they take turns.
func demands(folder string) []demand {
	trusted, err := root.NewTrustedRootFromPath(filepath.Join(folder, "trusted_root.json"))
	check(err)
	stamped, err := root.NewTrustedRootFromPath(filepath.Join(folder, "stamped.json"))
	check(err)
	identity, err := verify.NewShortCertificateIdentity("", ".*", "", ".*")
	check(err)
	anybody := verify.WithCertificateIdentity(identity)
	logged := []verify.VerifierOption{
		verify.WithSignedCertificateTimestamps(1), verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1),
	}
	return []demand{
		{"rekor-v1", logged, anybody, trusted},
		{"slsa", logged, anybody, trusted},
		{"rekor-v2", logged, anybody, trusted},
		{"timestamp", []verify.VerifierOption{verify.WithSignedTimestamps(1)}, anybody, stamped},
		{"bundle-key", []verify.VerifierOption{verify.WithNoObserverTimestamps()}, verify.WithKey(), keyOf(folder)},
	}
}

func keyOf(folder string) root.TrustedMaterial {
	pem, err := os.ReadFile(filepath.Join(folder, "offline.pub"))
	check(err)
	key, err := cryptoutils.UnmarshalPEMToPublicKey(pem)
	check(err)
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	check(err)
	always := root.NewExpiringKey(verifier, time.Time{}, time.Time{})
	return root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return always, nil })
}

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

// From JSON to a verdict; what is trusted was loaded before, as it is by a server.
func prove(demand demand, json, digest []byte) error {
	var signed bundle.Bundle
	if err := signed.UnmarshalJSON(json); err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(demand.trusted, demand.options...)
	if err != nil {
		return err
	}
	_, err = verifier.Verify(&signed, verify.NewPolicy(verify.WithArtifactDigest("sha256", digest), demand.policy))
	return err
}

func main() {
	folder := os.Args[1]
	rounds, err := strconv.Atoi(os.Args[2])
	check(err)
	demands := demands(folder)
	text, err := os.ReadFile(filepath.Join(folder, "digest"))
	check(err)
	digest, err := hex.DecodeString(strings.TrimSpace(string(text)))
	check(err)
	times := map[string][]int64{}
	for range rounds {
		for _, demand := range demands {
			json, err := os.ReadFile(filepath.Join(folder, demand.name+".json"))
			check(err)
			start := cpu()
			if err := prove(demand, json, digest); err != nil {
				fmt.Fprintln(os.Stderr, demand.name, err)
				os.Exit(1)
			}
			times[demand.name] = append(times[demand.name], cpu()-start)
		}
	}
	for _, demand := range demands {
		slices.Sort(times[demand.name])
		fmt.Printf("%s %d\n", demand.name, times[demand.name][rounds/2])
	}
}
