package main

import (
	"cmp"
	"os"

	"github.com/urfave/cli/v2"

	"fletch/master"
	"fletch/master/replica"
)

// run is a master until a signal asks for its end.
func (s *masterSettings) run(c *cli.Context) (err error) {
	if s.dir == "" {
		if s.dir, err = stateDir("master"); err != nil {
			return err
		}
	}
	if s.id == "" {
		if s.id, err = os.Hostname(); err != nil {
			return err
		}
	}
	var peers []replica.Server
	for _, p := range s.peers {
		peers = append(peers, replica.Server{ID: p.Name, Address: p.Address, Voter: true})
	}
	log := s.log.logger(c.App.ErrWriter)
	m, err := master.New(master.Config{
		ID: s.id, Dir: s.dir, Listen: cmp.Or(s.listen, defaultMasterAddress), Address: s.advertise, Peers: peers,
		Cluster: cmp.Or(s.cluster, defaultCluster), Insecure: s.insecure, ElectionTimeout: s.election, LostAfter: s.lost,
		Version: thisVersion().String(), Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("serving", "master", s.id, "address", m.Address(), "dir", s.dir, "version", thisVersion().String())
	return serve(c, log, m.Run)
}
